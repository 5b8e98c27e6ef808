# Playwright's own image for Python: browsers and the libraries they need are in it.
#   docker build -t chatkit-harness .
#   docker run --rm -v "$PWD:/repo" chatkit-harness gate
# The image and the pinned playwright package must agree on the browser's build: --build-arg PLAYWRIGHT=v…-noble.
ARG PLAYWRIGHT=v1.64.0-noble
FROM mcr.microsoft.com/playwright/python:${PLAYWRIGHT}
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/chatkit-harness
COPY pyproject.toml README.md LICENSE requirements.txt ./
COPY harness harness
COPY fixtures fixtures
RUN pip install -r requirements.txt && pip install --no-build-isolation --no-deps .
WORKDIR /repo
USER pwuser
ENTRYPOINT ["chatkit-harness"]
CMD ["gate"]
