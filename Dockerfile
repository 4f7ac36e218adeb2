# The server: one image for web, worker and beat. compose.yaml starts them; docs/scale-out.md says how to add more.
#
#   docker build -t atelier .
#   docker build -t atelier --build-arg BASE=… --build-arg PIP_INDEX_URL=… --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt .
#
# BASE is any image with Python 3.11 and venv: the public one, or what `make base-image` makes without pulling any.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

ARG PIP_INDEX_URL
# Compiled while it is built: a container that starts compiles nothing.
ENV PYTHONUNBUFFERED=1 UV_COMPILE_BYTECODE=1 PATH=/opt/atelier/.venv/bin:$PATH
WORKDIR /opt/atelier

# The packages change less often than the code: a layer of their own.
COPY requirements.txt ./
COPY demo/requirements.txt demo/requirements.txt
COPY sdk/pyproject.toml sdk/README.md sdk/
COPY scripts/install.py scripts/install.py
RUN --mount=type=secret,id=ca,target=/run/secrets/ca.pem \
    if [ -s /run/secrets/ca.pem ]; then export PIP_CERT=/run/secrets/ca.pem; fi \
    && python3 -m venv .venv && python3 -c "import pathlib; [pathlib.Path('sdk', name).mkdir() for name in ('atelier', 'azureml', 'atelier_jobs')]" \
    && .venv/bin/python scripts/install.py demo

COPY . .
RUN .venv/bin/python -m compileall -q manage.py studio runs sdk scripts
# Not root; the number is kept, because folders of the data volume belong to it.
RUN useradd --uid 1500 --create-home --home-dir /home/atelier atelier && mkdir /data && chown atelier /data
USER atelier
ENV ATELIER_HOME=/data PYTHONPATH=/opt/atelier/sdk
VOLUME /data
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", "--backlog", "1024", "--no-ws", "--http", "1", "--respawn-failed-workers", "studio.wsgi:application"]
