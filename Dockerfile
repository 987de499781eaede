# The gate for runners without Python:
#   docker build -t hokusai-acceptance .
#   docker run --rm -e ENVIRONMENT=prod -e REVISION=… -e HOKUSAI_API_KEY -e AWS_ACCESS_KEY_ID … \
#     -v "$PWD/reports:/suite/reports" hokusai-acceptance
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home suite
WORKDIR /suite
COPY --chown=suite requirements.lock requirements.in Makefile ./
COPY --chown=suite scripts scripts
RUN chown suite /suite
USER suite
# A layer of its own: what is installed changes seldom.
RUN scripts/setup.sh
COPY --chown=suite . .
ENTRYPOINT ["scripts/gate.sh"]
