# mrfusion in a container.
#   docker build -t mrfusion .
#   docker run --rm --gpus all --user $(id -u):$(id -g) --ipc=host -v "$PWD:/data" mrfusion study study.yaml --out out
# Without a GPU leave --gpus out, and build smaller: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu
FROM python:3.11-slim-bookworm

ARG TORCH_INDEX=https://pypi.org/simple
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib

WORKDIR /opt/mrfusion
COPY constraints.txt ./
RUN pip install --index-url "$TORCH_INDEX" -c constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install -c constraints.txt .

WORKDIR /data
ENTRYPOINT ["mrfusion"]
CMD ["--help"]
