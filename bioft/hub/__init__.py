"""The Hugging Face Hub: what may be published, one commit to push it, checks on what is pulled."""
