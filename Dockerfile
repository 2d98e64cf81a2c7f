# The image of kdcos: static programs, the certificates they trust, nothing else.
# The local cluster makes the same image without Docker: make image.
#
# The last stage is distroless in the strict sense, an empty image. Where policy
# asks for a maintained base, any distroless static image does as well:
#   docker build --build-arg BASE_IMAGE=<registry>/distroless/static:nonroot .
ARG BUILDER_IMAGE=golang:1.26
ARG BASE_IMAGE=scratch

FROM --platform=${BUILDPLATFORM} ${BUILDER_IMAGE} AS builder
WORKDIR /src
COPY go.mod go.sum ./
COPY cmd/dns/go.mod cmd/dns/go.sum cmd/dns/
RUN --mount=type=cache,target=/go/pkg/mod go mod download && go -C cmd/dns mod download
COPY api api
COPY cmd cmd
COPY controllers controllers
COPY internal internal
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -buildvcs=false -trimpath -ldflags="-s -w" -o /out/ ./cmd/manager ./cmd/fetcher ./cmd/stubdomains && \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -C cmd/dns -buildvcs=false -trimpath -ldflags="-s -w" -o /out/dns .

FROM ${BASE_IMAGE}
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder /out/ /
COPY LICENSE /licenses/LICENSE
USER 65532:65532
ENTRYPOINT ["/manager"]
