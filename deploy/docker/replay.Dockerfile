# Lives through stored signals again: Freqtrade and, for its market, the paper exchange. Build from the root of the repository.
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
RUN uv sync --frozen --no-dev --no-install-workspace --package quantbus-executor --extra bot --extra replay
COPY contracts/src contracts/src
COPY executor/src executor/src
COPY services/src services/src
RUN uv sync --frozen --no-dev --no-editable --package quantbus-executor --extra bot --extra replay

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home --home-dir /var/lib/quantbus quantbus
COPY --from=build /opt/quantbus /opt/quantbus
COPY executor/user_data /opt/user_data
# Where the commands look for it, as in a checkout.
RUN mkdir /opt/quantbus/executor && ln -s /opt/user_data /opt/quantbus/executor/user_data
ENV PATH=/opt/quantbus/bin:$PATH \
    QUANTBUS_HOME=/var/lib/quantbus \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/quantbus
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="quantbus-replay" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENTRYPOINT ["quantbus"]
CMD ["replay", "--help"]
