#!/usr/bin/env bash
# Installs kdcos in the cluster of KUBECONFIG, or upgrades it. Run by `make deploy`.
# IMAGE=name:tag names an image that the cluster can pull, in place of one made here.
set -euo pipefail
cd "$(dirname "$0")/.."
namespace=kdcos-system

if [ -z "${IMAGE:-}" ]; then
  IMAGE=kdcos/kdcos:$(<.local/images/kdcos.tag)
  localcluster load .local/images/kdcos.tar
fi

explain() {
  echo "kdcos was not installed. What there is:" >&2
  kubectl get all,events --namespace "$namespace" >&2 || true
  kubectl logs --namespace "$namespace" deployment/kdcos --tail 50 >&2 || true
}
trap 'explain' ERR

kubectl create namespace "$namespace" --dry-run=client --output yaml | kubectl apply --filename - >/dev/null
kubectl label namespace "$namespace" --overwrite pod-security.kubernetes.io/enforce=restricted >/dev/null
helm upgrade kdcos charts/kdcos --install --namespace "$namespace" --wait --timeout 3m \
  --set "image.repository=${IMAGE%:*},image.tag=${IMAGE##*:},manager.baseImage=busybox,dns.stubDomains.enabled=true" >.local/helm.log
echo "kdcos runs in namespace $namespace, from image $IMAGE"
