// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"maps"
	"slices"
	"sync"

	"github.com/kdcos/kdcos/internal/dnsnames"
)

// view is what the names are made of.
type view struct {
	mu    sync.Mutex
	items map[string]item
}

// replace puts an item in the place of what was under the key before, nil for
// nothing. It says whether that changed anything.
func (d *DCOS) replace(key string, now item) bool {
	d.view.mu.Lock()
	defer d.view.mu.Unlock()
	if d.view.items == nil {
		d.view.items = map[string]item{}
	}
	before := d.view.items[key]
	if before == nil && now == nil {
		return false
	}
	var remove, add []dnsnames.Record
	if now == nil {
		delete(d.view.items, key)
	} else {
		d.view.items[key] = now
		if before != nil && now.same(before) {
			return false
		}
		add = now.records()
		if p, ok := now.(*taskPod); ok && p.wrong != "" {
			log.Warningf("pod %s/%s has no names: %s", p.Namespace, p.Name, p.wrong)
		}
	}
	if before != nil {
		remove = before.records()
	}
	d.store.Replace(remove, add)
	return true
}

// each returns all items of a type, by their keys.
func each[T item](v *view) []T {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []T
	for _, key := range slices.Sorted(maps.Keys(v.items)) {
		if it, ok := v.items[key].(T); ok {
			all = append(all, it)
		}
	}
	return all
}
