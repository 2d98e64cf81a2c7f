// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kdcos/kdcos/internal/dnsnames"
)

// netVersion is that of the dcos-net whose HTTP API this is.
const netVersion = "0.0.1"

// net is the HTTP API of dcos-net, which Admin Router showed under /net.
func (d *DCOS) net() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"Service": "dcos-dns", "Version": netVersion})
	})
	for _, path := range []string{"GET /v1/config", "GET /v1/enumerate"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotImplemented) })
	}
	mux.HandleFunc("GET /v1/hosts/{host}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, d.netHosts(canonicalName(r.PathValue("host"))))
	})
	mux.HandleFunc("GET /v1/services/{service}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, d.netServices(canonicalName(r.PathValue("service"))))
	})
	mux.HandleFunc("GET /v1/records", d.netRecords)
	mux.HandleFunc("GET /v1/vips", d.netVIPs)
	mux.HandleFunc("GET /v1/nodes", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, netNodes(each[*agent](&d.view))) })
	mux.HandleFunc("GET /lashup/key", func(w http.ResponseWriter, _ *http.Request) {
		// dcos-net gave the secret key away, too.
		if id := d.clusterID(); id != "" {
			writeJSON(w, map[string]string{"zbase32_public_key": id})
			return
		}
		http.Error(w, "Cluster keys not found in Lashup", http.StatusNotFound)
	})
	return mux
}

func (d *DCOS) netHosts(name string) []mesosHost {
	all := []mesosHost{}
	for _, v := range d.values(name) {
		if v.Type() == "A" {
			all = append(all, mesosHost{Host: name, IP: v.Addr.String()})
		}
	}
	return all
}

type netService struct {
	Service string `json:"service"`
	Host    string `json:"host"`
	Port    uint16 `json:"port"`
	IP      string `json:"ip,omitempty"`
}

func (d *DCOS) netServices(name string) []netService {
	all := []netService{}
	for _, v := range d.values(name) {
		if v.Target != "" {
			all = append(all, netService{Service: name, Host: v.Target, Port: v.Port, IP: d.firstIP(v.Target)})
		}
	}
	return all
}

// netRecords streams all records that there are.
func (d *DCOS) netRecords(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	separator := "["
	d.store.Each(func(name string, values []dnsnames.Value) bool {
		for _, v := range values {
			raw, err := json.Marshal(enumeratedRecord{Name: name, Host: strings.Replace(host(v), ".:", ":", 1), Rtype: v.Type()})
			if err == nil {
				_, err = fmt.Fprintf(w, "%s%s", separator, raw)
			}
			if err != nil {
				return false
			}
			separator = ",\n"
		}
		return true
	})
	if separator == "[" {
		fmt.Fprint(w, separator)
	}
	fmt.Fprint(w, "]")
}

type netNode struct {
	PrivateIP string   `json:"private_ip"`
	PublicIPs []string `json:"public_ips"`
	Hostname  string   `json:"hostname"`
	Updated   string   `json:"updated"`
}

func netNodes(agents []*agent) []netNode {
	all := []netNode{}
	for _, n := range agents {
		if len(n.IPs) == 0 {
			continue
		}
		public := []string{}
		for _, ip := range n.Public {
			public = append(public, ip.String())
		}
		all = append(all, netNode{PrivateIP: n.IPs[0].String(), PublicIPs: public, Hostname: n.ObjectMeta.Name, Updated: n.seen.UTC().Format("2006-01-02T15:04:05.000Z")})
	}
	return all
}

type netVIP struct {
	VIP      string       `json:"vip"`
	Protocol string       `json:"protocol"`
	Backend  []netBackend `json:"backend"`
}

type netBackend struct {
	IP   string `json:"ip"`
	Port int32  `json:"port"`
}

func (d *DCOS) netVIPs(w http.ResponseWriter, r *http.Request) {
	all := vips(each[*virtualIP](&d.view), each[*slice](&d.view))
	raw, err := json.Marshal(all)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(raw)
	w.Header().Set("ETag", strconv.Quote(base64.StdEncoding.EncodeToString(sum[:20])))
	// It serves conditional requests by the tag.
	w.Header().Set("Content-Type", "application/json")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(raw)))
}

// vips are the ports of virtual IPs with what is behind them. Slices name the
// ports of a virtual IP by their protocol and number.
func vips(served []*virtualIP, parts []*slice) []netVIP {
	type port struct{ vip, protocol string }
	backends := map[port][]netBackend{}
	for _, v := range served {
		name := v.VirtualIP.Name
		if name == "" {
			name = v.ip
		}
		for _, s := range parts {
			if name == "" || v.service == "" || s.service != v.service || s.Namespace != v.Namespace {
				continue
			}
			for _, p := range s.ports {
				_, number, _ := strings.Cut(p.name, "-")
				key := port{name + ":" + number, p.protocol}
				if backends[key] == nil {
					backends[key] = []netBackend{}
				}
				for _, address := range s.addresses {
					backends[key] = append(backends[key], netBackend{IP: address, Port: p.port})
				}
			}
		}
	}
	all := []netVIP{}
	for key, b := range backends {
		slices.SortFunc(b, func(x, y netBackend) int { return cmp.Or(strings.Compare(x.IP, y.IP), cmp.Compare(x.Port, y.Port)) })
		all = append(all, netVIP{VIP: key.vip, Protocol: key.protocol, Backend: slices.Compact(b)})
	}
	slices.SortFunc(all, func(x, y netVIP) int {
		return cmp.Or(strings.Compare(x.VIP, y.VIP), strings.Compare(x.Protocol, y.Protocol))
	})
	return all
}
