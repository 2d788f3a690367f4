# labelwright in a container: runs as a user without rights and needs no network.
#   docker build -t labelwright .
#   docker build -t labelwright:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
#   (the version: --build-arg VERSION=0.2.0, or of the checkout: VERSION="$(python -m setuptools_scm)")
#   docker run --rm --network none -v "$PWD:/work" --user "$(id -u):$(id -g)" labelwright \
#       label reports.csv --out out/labels
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG VERSION=
ARG EXTRAS=documents,sql,review
WORKDIR /src
COPY . .
RUN python -m venv /opt/labelwright \
    && export SETUPTOOLS_SCM_PRETEND_VERSION_FOR_LABELWRIGHT="$VERSION" \
    && /opt/labelwright/bin/pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" \
        -c constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.11-slim-bookworm
COPY --from=build /opt/labelwright /opt/labelwright
ENV PATH=/opt/labelwright/bin:$PATH \
    HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    OMP_WAIT_POLICY=PASSIVE \
    GOMP_SPINCOUNT=0
RUN useradd --create-home --uid 1000 labelwright
USER 1000
WORKDIR /work
ENTRYPOINT ["labelwright"]
CMD ["--help"]
