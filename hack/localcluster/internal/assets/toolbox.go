// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Toolbox is the container runtime and the network programs of the distribution: what the system has, or else what was
// unpacked from packages.
type Toolbox struct {
	// Unpacked is the root of the unpacked packages; it may not exist.
	Unpacked string
	// Programs maps names to paths.
	Programs map[string]string
	// Plugins is the directory of the CNI plugins.
	Plugins string
}

// programs are what a real node runs, with the package of Debian and Ubuntu each is in.
var programs = map[string]string{
	"containerd":              "containerd",
	"containerd-shim-runc-v2": "containerd",
	"ctr":                     "containerd",
	"runc":                    "runc",
	"nft":                     "nftables",
	"iptables":                "iptables",
}

const pluginPackage = "containernetworking-plugins"

var plugins = []string{"ptp", "host-local", "portmap", "loopback"}

var (
	systemDirs    = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	systemPlugins = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
)

// look fills a toolbox from the system and from the unpacked packages below root, and names the packages that would
// complete it.
func look(system []string, systemPlugins []string, unpacked string) (Toolbox, []string) {
	box := Toolbox{Unpacked: unpacked, Programs: map[string]string{}}
	dirs := slices.Clone(system)
	for _, dir := range []string{"links", "usr/sbin", "usr/bin", "sbin", "bin"} {
		dirs = append(dirs, filepath.Join(unpacked, dir))
	}
	var lacking []string
	for name, pkg := range programs {
		if path, ok := find(dirs, name); ok {
			box.Programs[name] = path
		} else {
			lacking = append(lacking, pkg)
		}
	}
	for _, dir := range append(slices.Clone(systemPlugins), filepath.Join(unpacked, "usr/lib/cni")) {
		if hasAll(dir, plugins) {
			box.Plugins = dir
			break
		}
	}
	if box.Plugins == "" {
		lacking = append(lacking, pluginPackage)
	}
	slices.Sort(lacking)
	return box, slices.Compact(lacking)
}

func find(dirs []string, name string) (string, bool) {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, true
		}
	}
	return "", false
}

func hasAll(dir string, names []string) bool {
	for _, name := range names {
		if _, ok := find([]string{dir}, name); !ok {
			return false
		}
	}
	return true
}

// Under is the toolbox as a machine sees it that has the unpacked packages at another place.
func (t Toolbox) Under(root string) Toolbox {
	move := func(path string) string {
		if rest, ok := strings.CutPrefix(path, t.Unpacked+"/"); ok {
			return filepath.Join(root, rest)
		}
		return path
	}
	moved := Toolbox{Unpacked: root, Programs: map[string]string{}, Plugins: move(t.Plugins)}
	for name, path := range t.Programs {
		moved.Programs[name] = move(path)
	}
	return moved
}

// libraryDir is where packages of this architecture keep libraries, relative to a root.
func libraryDir() string { return filepath.Join("usr/lib", multiarch()) }

// Env is the environment in which the programs find each other and, where they were unpacked, their libraries.
func (t Toolbox) Env() []string {
	path := strings.Join(systemDirs, ":")
	for _, dir := range []string{"links", "usr/sbin", "usr/bin"} {
		path += ":" + filepath.Join(t.Unpacked, dir)
	}
	env := []string{"PATH=" + path}
	if !t.usesUnpacked() {
		return env
	}
	libraries := filepath.Join(t.Unpacked, libraryDir())
	env = append(env, "LD_LIBRARY_PATH="+libraries)
	if strings.HasPrefix(t.Programs["iptables"], t.Unpacked+"/") {
		env = append(env, "XTABLES_LIBDIR="+filepath.Join(libraries, "xtables"))
	}
	return env
}

func (t Toolbox) usesUnpacked() bool {
	for _, path := range t.Programs {
		if strings.HasPrefix(path, t.Unpacked+"/") {
			return true
		}
	}
	return false
}
