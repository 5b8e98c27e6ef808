# Playwright's own image for Python: browsers and the libraries they need are in it.
#   docker build -t chatkit-harness .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/repo" chatkit-harness gate
# Where the image's browser is not the build that the pinned playwright package asks for, `install` fetches that one.
ARG PLAYWRIGHT=v1.64.0-noble
FROM mcr.microsoft.com/playwright/python:${PLAYWRIGHT}
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/chatkit-harness
COPY pyproject.toml README.md LICENSE requirements.txt ./
COPY harness harness
COPY fixtures fixtures
RUN pip install -r requirements.txt && pip install --no-build-isolation --no-deps . && chatkit-harness install
# Whoever runs it owns what it writes into /repo; such a user has no home folder here.
ENV HOME=/tmp
WORKDIR /repo
USER pwuser
ENTRYPOINT ["chatkit-harness"]
CMD ["gate"]
