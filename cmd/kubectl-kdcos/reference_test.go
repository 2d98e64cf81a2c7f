// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/kdcos/kdcos/internal/pathid"
)

// TestFind says which App an argument means.
func TestFind(t *testing.T) {
	for _, test := range []struct {
		arg, namespace, root string
		chosen               bool
		want, fails          string
	}{
		{arg: "web.api", namespace: "prod", want: "prod/web.api"},
		{arg: "app/web.api", namespace: "prod", want: "prod/web.api"},
		{arg: "app.kdcos.io/web.api", namespace: "prod", chosen: true, want: "prod/web.api"},
		{arg: "/prod/web/api", namespace: "default", want: "prod/web.api"},
		{arg: "/prod//web/api/", namespace: "default", want: "prod/web.api"},
		{arg: "/prod/web/api", namespace: "prod", chosen: true, want: "prod/web.api"},
		{arg: "/web", namespace: "prod", want: "default/web"},
		{arg: "/web", namespace: "prod", root: "marathon", want: "marathon/web"},
		{arg: "/hello_world", namespace: "prod", want: "default/hello-world-3979d6c1ee"},
		{arg: "/prod/web/api", namespace: "test", chosen: true, fails: `/prod/web/api is in namespace "prod", not in "test": leave --namespace away, or give the name`},
		{arg: "prod/web/api", namespace: "default", fails: `"prod/web/api" is neither the name of an App nor a Marathon id: ids start with a slash, as in /prod/web/api`},
		{arg: "hello_world", namespace: "default", fails: `"hello_world" is not the name of an App: for the Marathon id, write /hello_world`},
		{arg: "Web", namespace: "default", fails: `"Web" is not the name of an App`},
		{arg: "", namespace: "default", fails: `"" is not the name of an App`},
		{arg: "/", namespace: "default", fails: `"/" is no Marathon id: `},
		{arg: "/prod/Web", namespace: "default", fails: `"/prod/Web" is no Marathon id: must fully match`},
	} {
		t.Run(test.arg, func(t *testing.T) {
			c := &cluster{namespace: test.namespace, chosen: test.chosen, mapping: pathid.Mapping{RootNamespace: test.root}}
			key, err := c.find(test.arg)
			switch {
			case test.fails != "":
				if err == nil || !strings.HasPrefix(err.Error(), test.fails) {
					t.Errorf("got %v, %v; want error %s", key, err, test.fails)
				}
			case err != nil || key.String() != test.want:
				t.Errorf("got %v, %v; want %s", key, err, test.want)
			}
		})
	}
}
