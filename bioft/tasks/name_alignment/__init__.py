"""Metabolite names matched to a namespace, with calibrated confidence."""
