// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	optionKey   = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?/[A-Za-z0-9](?:[-A-Za-z0-9\._:]*[A-Za-z0-9])?$`)
	optionLabel = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$`)
)

// optionDriver names the driver of a volume of provider dvdi.
const optionDriver = "dvdi/driver"

func checkExternalVolume(path string, engine v1alpha1.EngineType, v Volume, p *problems) {
	at, e := path+"/external", v.External
	switch {
	case e.Name == nil:
		p.add(at+"/name", notDefined)
	case *e.Name == "":
		p.add(at+"/name", mustNotBeEmpty)
	}
	if e.Provider == nil {
		p.add(at+"/provider", notDefined)
		return
	}
	for i, key := range sortedKeys(e.Options) {
		p.check(optionKey.MatchString(key), index(at+"/options/keys", i), mustMatch(optionKey))
	}
	switch v1alpha1.ExternalProvider(*e.Provider) {
	case v1alpha1.ProviderDVDI:
		checkDVDI(path, engine, v, p)
	case v1alpha1.ProviderCSI:
		p.check(e.CSI != nil, at+"/options/capability", notDefined)
		readOnly := e.CSI != nil && strings.HasSuffix(e.CSI.Capability.AccessMode, "READER_ONLY")
		p.check(!readOnly || v.Mode == v1alpha1.VolumeReadOnly, path, "CSI volume must be mounted readonly with a read-only access mode")
	default:
		p.add(at+"/provider", "is unknown provider")
	}
}

func checkDVDI(path string, engine v1alpha1.EngineType, v Volume, p *problems) {
	at, e := path+"/external", v.External
	if e.CSI != nil {
		p.add(at+"/options", "must only contain "+optionDriver)
		return
	}
	const quoted = `/options("` + optionDriver + `")`
	driver, ok := e.Options[optionDriver]
	p.check(ok, at+quoted, notDefined)
	p.check(!ok || optionLabel.MatchString(driver), at+quoted, mustMatch(optionLabel))
	if driver == "rexray" {
		checkRexRay(at+"/options", e.Options, p)
	}
	checkContainerPath(path, v.ContainerPath, p)
	if engine == v1alpha1.EngineMesos {
		p.check(v.Mode == v1alpha1.VolumeReadWrite, path+"/mode", "does not equal RW")
		return
	}
	only := !slices.ContainsFunc(sortedKeys(e.Options), func(key string) bool { return key != optionDriver })
	p.check(only, at+"/options", "must only contain "+optionDriver)
	p.check(e.Size == nil, at+"/size", "must be undefined for Docker containers")
}

// checkRexRay holds the rules for the options of the driver that most had.
func checkRexRay(path string, options map[string]string, p *problems) {
	for _, key := range sortedKeys(options) {
		at, value := path+`/"`+key+`"`, options[key]
		switch key {
		case "dvdi/volumetype", "dvdi/newfstype":
			p.check(optionLabel.MatchString(value), at, mustMatch(optionLabel))
		case "dvdi/iops":
			n, err := strconv.ParseInt(value, 10, 64)
			p.check(err == nil && n > 0, at, "Expected a valid, positive integer instead of "+value)
		case "dvdi/overwritefs":
			p.check(strings.EqualFold(value, "true") || strings.EqualFold(value, "false"), at, "Expected a valid boolean")
		}
	}
}

// usesProvider says whether the app has external volumes of a provider.
func (a *App) usesProvider(provider v1alpha1.ExternalProvider) bool {
	return a.Container != nil && slices.ContainsFunc(a.Container.Volumes, func(v Volume) bool {
		return v.External != nil && ptr.Deref(v.External.Provider, "") == string(provider)
	})
}

// checkExternalVolumes holds what external volumes ask of the app as a whole.
func checkExternalVolumes(a *App, p *problems) {
	if a.usesProvider(v1alpha1.ProviderDVDI) {
		p.check(*a.Instances <= 1, "", "Number of instances is limited to 1 when declaring DVDI volumes in app ["+a.ID+"]")
	}
	if !a.usesProvider(v1alpha1.ProviderCSI) {
		return
	}
	alone, singleWriters := false, true
	for _, v := range a.Container.Volumes {
		if v.External == nil || v.External.CSI == nil {
			continue
		}
		mode := v.External.CSI.Capability.AccessMode
		alone = alone || strings.HasPrefix(mode, "SINGLE_NODE")
		singleWriters = singleWriters && mode == "MULTI_NODE_SINGLE_WRITER" && v.Mode == v1alpha1.VolumeReadWrite
	}
	message := got(strconv.Itoa(int(*a.Instances)), "1 or less while ")
	switch {
	case *a.Instances <= 1:
	case alone:
		p.add("/instances", message+"non-shareable CSI volumes are defined")
	case singleWriters:
		p.add("/instances", message+"a multi-node single-writer volume is defined mounted as read/write")
	}
}
