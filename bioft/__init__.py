"""Task recipes for biomedical language models, honest by construction."""

import logging

from bioft import threads as threads  # which sets what PyTorch reads when it is imported

__version__ = "0.1.0"

# Said while the trainers are imported, so that nothing later can keep it back: a kernel that bioft does not use, as it
# has no gradient (`bioft.models.base`).
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(lambda record: "gemm_4bit_forward" not in str(record.msg))
