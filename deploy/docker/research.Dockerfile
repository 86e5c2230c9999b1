# The research worker. Build from the root of the repository.
# Both images can be others: a mirror's, or one for building that brings the packages along where there is no network.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG BUILD_IMAGE=${PYTHON_IMAGE}

FROM ${BUILD_IMAGE} AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/quantbus \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1
WORKDIR /src
# Dependencies first: this layer is built again only when the lock changes.
COPY pyproject.toml uv.lock ./
COPY contracts/pyproject.toml contracts/README.md contracts/
COPY services/pyproject.toml services/README.md services/
COPY research/pyproject.toml research/README.md research/
COPY executor/pyproject.toml executor/README.md executor/
RUN uv sync --frozen --no-dev --no-install-workspace --package quantbus-research
COPY contracts/src contracts/src
COPY research/src research/src
RUN uv sync --frozen --no-dev --no-editable --package quantbus-research

FROM ${PYTHON_IMAGE}
# LightGBM is built against GNU's OpenMP and does not bring it. A stable Debian has one version of a package, and keeps
# no older one that could be named here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/quantbus quantbus
COPY --from=build /opt/quantbus /opt/quantbus
COPY deploy/docker/probe.py /usr/local/bin/probe.py
ENV PATH=/opt/quantbus/bin:$PATH \
    QUANTBUS_HOME=/var/lib/quantbus \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/quantbus
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="quantbus-research" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENTRYPOINT ["quantbus"]
