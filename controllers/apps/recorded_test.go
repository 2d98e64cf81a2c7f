// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package apps_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/recorded"
)

var _ = Describe("The API server", func() {
	It("accepts every recorded definition that Marathon would", func(ctx SpecContext) {
		// They ask for all there is of their nodes.
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "recorded-", Labels: map[string]string{}}}
		for _, label := range v1alpha1.AllowLabels() {
			namespace.Labels[label] = "true"
		}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		accepted := 0
		for _, document := range definitions(recorded.Data(GinkgoTB())) {
			items, err := marathon.Decode(document)
			Expect(err).NotTo(HaveOccurred())
			for _, item := range items {
				app, err := item.ToApp(marathon.Options{})
				if err != nil {
					// Marathon refuses it as well: the tests of internal/marathon hold the reasons.
					continue
				}
				app.Namespace = namespace.Name
				Expect(k8s.Create(ctx, app, client.DryRunAll)).To(Succeed(), string(document))
				accepted++
			}
		}
		AddReportEntry("accepted", accepted)
		Expect(accepted).To(BeNumerically(">", 0))
	})
})

// definitions are Marathon's own and the renders of the Universe that are JSON.
func definitions(data string) [][]byte {
	GinkgoHelper()
	var all [][]byte
	files, err := filepath.Glob(filepath.Join(data, "marathon", "apps", "*.json"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range append(files, filepath.Join(data, "marathon", "hello_world.json")) {
		document, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		all = append(all, document)
	}
	packed, err := os.Open(filepath.Join(data, "universe", "renders-dev.jsonl.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		return all
	}
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = packed.Close() }()
	unpacked, err := gzip.NewReader(packed)
	Expect(err).NotTo(HaveOccurred())
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var render struct {
			Valid    bool            `json:"valid"`
			Rendered json.RawMessage `json:"rendered"`
		}
		Expect(json.Unmarshal(lines.Bytes(), &render)).To(Succeed())
		if render.Valid {
			all = append(all, render.Rendered)
		}
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return all
}
