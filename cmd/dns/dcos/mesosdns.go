// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package dcos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kdcos/kdcos/internal/dnsnames"
)

// mesosDNSVersion is that of the Mesos-DNS whose HTTP API this is: clients ask.
const mesosDNSVersion = "v0.7.0"

// mesosDNS is the HTTP API of Mesos-DNS. What is not there is answered with 200
// and empty texts, which is how clients know it.
func (d *DCOS) mesosDNS() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"Service": "Mesos-DNS", "Version": mesosDNSVersion, "URL": "https://github.com/mesosphere/mesos-dns"})
	})
	mux.HandleFunc("GET /v1/config", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{
			"Domain": "mesos", "TTL": d.options.TTL, "RefreshSeconds": 0, "SOAMname": nameServer("mesos"), "SOARname": mailbox("mesos"),
			"SOAMinttl": d.options.NegativeTTL, "DNSOn": true, "HTTPOn": true, "EnforceRFC952": false, "SetTruncateBit": true,
			"IPSources": []string{"host", "netinfo"},
		})
	})
	mux.HandleFunc("GET /v1/hosts/{host}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, d.mesosHosts(r.PathValue("host")))
	})
	mux.HandleFunc("GET /v1/hosts/{host}/ports", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "To be implemented...", http.StatusNotImplemented)
	})
	mux.HandleFunc("GET /v1/services/{service}", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, d.mesosServices(r.PathValue("service")))
	})
	mux.HandleFunc("GET /v1/enumerate", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, enumerate(each[*taskPod](&d.view))) })
	mux.HandleFunc("GET /v1/axfr", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, d.axfr()) })
	return mux
}

func writeJSON(w http.ResponseWriter, body any) {
	raw, err := json.MarshalIndent(body, "", " ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(raw); err != nil {
		log.Debugf("write: %s", err)
	}
}

type mesosHost struct {
	Host string `json:"host"`
	IP   string `json:"ip"`
}

type mesosService struct {
	Service string `json:"service"`
	Host    string `json:"host"`
	IP      string `json:"ip"`
	Port    string `json:"port"`
}

// canonicalName is a name as clients of Mesos-DNS may write it.
func canonicalName(name string) string {
	return strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(name, ".*", "")), ".")
}

// values are those of a name wherever it is.
func (d *DCOS) values(name string) []dnsnames.Value {
	place, ours := d.zones().Find(name)
	if !ours {
		return nil
	}
	values := d.store.Values(place.Name)
	for i := range values {
		if values[i].Target != "" {
			values[i].Target = place.Rename(values[i].Target)
		}
	}
	return values
}

func (d *DCOS) mesosHosts(name string) []mesosHost {
	name = canonicalName(name)
	var all []mesosHost
	for _, v := range d.values(name) {
		if v.Target == "" {
			all = append(all, mesosHost{Host: name + ".", IP: v.Addr.String()})
		}
	}
	if len(all) == 0 {
		all = []mesosHost{{}}
	}
	return all
}

func (d *DCOS) mesosServices(asked string) []mesosService {
	var all []mesosService
	for _, v := range d.values(canonicalName(asked)) {
		if v.Target != "" {
			all = append(all, mesosService{Service: asked, Host: v.Target + ".", IP: d.firstIP(v.Target), Port: fmt.Sprint(v.Port)})
		}
	}
	if len(all) == 0 {
		all = []mesosService{{}}
	}
	return all
}

// firstIP is the first address of a name, "" if it has none. IPv4 comes first.
func (d *DCOS) firstIP(name string) string {
	for _, v := range d.values(name) {
		if v.Target == "" {
			return v.Addr.String()
		}
	}
	return ""
}

// enumerated is a part of what there is, by framework and task.
type enumerated struct {
	Frameworks []*framework `json:"frameworks"`
}

type framework struct {
	Tasks []enumeratedTask `json:"tasks"`
	Name  string           `json:"name"`
}

type enumeratedTask struct {
	Name    string             `json:"name"`
	ID      string             `json:"id"`
	Records []enumeratedRecord `json:"records"`
}

type enumeratedRecord struct {
	Name  string `json:"name"`
	Host  string `json:"host"`
	Rtype string `json:"rtype"`
}

func enumerate(pods []*taskPod) enumerated {
	all := enumerated{Frameworks: []*framework{}}
	byName := map[string]*framework{}
	for _, p := range pods {
		for i := range p.tasks {
			t := &p.tasks[i]
			if byName[t.Framework] == nil {
				byName[t.Framework] = &framework{Name: t.Framework}
				all.Frameworks = append(all.Frameworks, byName[t.Framework])
			}
			task := enumeratedTask{Name: t.Name, ID: t.ID}
			for _, r := range t.Records() {
				if strings.HasSuffix(r.Name, ".mesos") {
					task.Records = append(task.Records, enumeratedRecord{Name: r.Name + ".", Host: host(r.Value), Rtype: r.Type()})
				}
			}
			byName[t.Framework].Tasks = append(byName[t.Framework].Tasks, task)
		}
	}
	return all
}

// host is a value as Mesos-DNS writes it.
func host(v dnsnames.Value) string {
	if v.Target != "" {
		return fmt.Sprintf("%s.:%d", v.Target, v.Port)
	}
	return v.Addr.String()
}

// transfer is all that there is in a zone.
type transfer struct {
	TTL            uint32
	Serial         uint32
	RefreshSeconds int
	Mname          string
	Rname          string
	Domain         string
	Records        transferred
}

type transferred struct {
	As, AAAAs, SRVs map[string][]string
}

func (d *DCOS) axfr() transfer {
	records := transferred{As: map[string][]string{}, AAAAs: map[string][]string{}, SRVs: map[string][]string{}}
	byType := map[string]map[string][]string{"A": records.As, "AAAA": records.AAAAs, "SRV": records.SRVs}
	d.store.Each(func(name string, values []dnsnames.Value) bool {
		if strings.HasSuffix(name, ".mesos") {
			for _, v := range values {
				of := byType[v.Type()]
				of[name+"."] = append(of[name+"."], host(v))
			}
		}
		return true
	})
	for _, names := range byType {
		for _, values := range names {
			slices.Sort(values)
		}
	}
	ns := nameServer("mesos")
	return transfer{TTL: d.options.TTL, Serial: d.serial.Load(), Mname: ns, Rname: mailbox("mesos"), Domain: "mesos", Records: records}
}
