// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"testing"

	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// What an API server spends on the rules when a small App is made; it does so
// again with every write of its status. docs/performance.md.
func BenchmarkAdmit(b *testing.B) {
	schema := admission.App(b)
	const app = `
apiVersion: kdcos.io/v1alpha1
kind: App
metadata: {name: web, namespace: default}
spec:
  cpus: 0.01
  mem: 16
  container:
    docker: {image: web}
    portMappings: [{containerPort: 80, name: http}]
  networks: [{mode: container/bridge}]
`
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := schema.Admit(b, []byte(app)); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
