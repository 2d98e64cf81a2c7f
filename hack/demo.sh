#!/usr/bin/env bash
# Shows kdcos at work: brings up a cluster, installs kdcos, and runs the app of
# the DC/OS quick start until it answers. Run by `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

make --no-print-directory cluster-up deploy
localcluster load .local/images/web.tar

say() { printf '\n$ %s\n' "$*"; "$@"; }
say kubectl kdcos apply -f config/samples/hello_world.json --wait --timeout 2m
app=$(kubectl kdcos status /hello_world --output name)
say kubectl kdcos status /hello_world
say kubectl get pods --selector "kdcos.io/app=${app##*/}" --output wide

if localcluster status --output json | grep -q '"provider": *"kwok"'; then
  printf '\n%s\n' "The nodes of this cluster are simulated: no process runs, so no page is served." \
    "As root on Linux, or where Docker runs with PROVIDER=kind, it is real."
else
  ip=$(kubectl get pods --selector "kdcos.io/app=${app##*/}" --output 'jsonpath={.items[0].status.podIP}')
  page=$(web get "http://$ip/")
  printf '\nHTTP 200 from http://%s/: %s\n' "$ip" "$(grep -o '<h1>.*</h1>' <<<"$page")"
fi

cat <<END

Up after $SECONDS s. Now it is yours:

  export KUBECONFIG=$KUBECONFIG PATH=$PWD/.local/bin:\$PATH

  # Upgrade it: a new task starts, and the old one goes when that is healthy. And back.
  kubectl patch $app --type merge --patch '{"spec":{"mem":256}}'
  kubectl kdcos rollback /hello_world --wait

  # Scale it: none restarts.
  kubectl scale $app --replicas 3
  kubectl kdcos status /hello_world

  # Remove it, and then the cluster.
  kubectl delete $app
  make cluster-down
END
