# docker build -t rnnexp .                              (for CUDA: --build-arg LOCK=gpu, then docker run --gpus all)
# docker run --rm rnnexp activation=relu seq_len=200
# mkdir -p data && docker run --rm --user "$(id -u)" -v "$PWD/data:/data" rnnexp ...      (keeps the runs and mlflow.db there)
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS packages
ARG LOCK=run
COPY requirements/${LOCK}.txt /tmp/lock.txt
# TensorFlow's C++ headers go: 430 MB that no run reads.
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/python3 -m pip --disable-pip-version-check install \
        --no-cache-dir --require-hashes -r /tmp/lock.txt \
    && rm -r /opt/venv/lib/python3.11/site-packages/tensorflow/include

FROM ${BASE_IMAGE}
COPY --from=packages /opt/venv /opt/venv
COPY run.py /app/run.py
COPY conf /app/conf
COPY hydra_plugins /app/hydra_plugins
COPY rnnexp /app/rnnexp
# /data takes what a run writes, from any user: docker run --user works with a number that has no name here.
RUN /opt/venv/bin/python3 -m compileall -q /app && install -d -m 1777 /data
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    USER=rnnexp \
    MPLCONFIGDIR=/tmp/matplotlib \
    GIT_PYTHON_REFRESH=quiet \
    MLFLOW_TRACKING_URI=sqlite:////data/mlflow.db
WORKDIR /data
USER 1000:1000
ENTRYPOINT ["python3", "/app/run.py"]
