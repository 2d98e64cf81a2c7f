// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package metronome

import (
	"encoding/json"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	envName   = regexp.MustCompile(`^[ -<>-~]{1,253}$`)
	anyName   = regexp.MustCompile(`^(?s:.{1,253})$`)
	imageName = regexp.MustCompile(`^[^\s\v\x{85}\p{Z}](.*[^\s\v\x{85}\p{Z}])?$`)
)

func readRun(n node) Run {
	o := n.object("cpus", "mem", "disk", "gpus", "cmd", "args", "user", "env", "placement", "artifacts", "maxLaunchDelay",
		"docker", "ucr", "volumes", "restart", "taskKillGracePeriodSeconds", "secrets", "networks", "lostAfterSeconds")
	r := Run{
		Cpus:           either(o, "cpus", number(0.01, 100000), defaultCpus),
		Mem:            either(o, "mem", number(32, boundMiB), defaultMem),
		Disk:           either(o, "disk", number(0, boundMiB), 0),
		Gpus:           either(o, "gpus", integer(0, 1024), 0),
		Cmd:            notEmpty(optional(o, "cmd", text(0, boundCommand))),
		Args:           either(o, "args", list(boundItems, text(0, boundCommand)), nil),
		User:           notEmpty(optional(o, "user", text(0, boundName))),
		Env:            either(o, "env", dictionary(boundItems, envName, readEnv), map[string]Env{}),
		Placement:      either(o, "placement", readPlacement, Placement{Constraints: []Constraint{}}),
		Artifacts:      either(o, "artifacts", list(256, readArtifact), []Artifact{}),
		MaxLaunchDelay: either(o, "maxLaunchDelay", integer(1, boundYear), defaultMaxLaunchDelay),
		Docker:         optional(o, "docker", readDocker),
		UCR:            optional(o, "ucr", readUCR),
		Volumes:        either(o, "volumes", list(128, readVolume), []Volume{}),
		Restart:        either(o, "restart", readRestart, Restart{Policy: v1alpha1.RestartNever}),
		Secrets:        either(o, "secrets", dictionary(64, anyName, readSecret), map[string]Secret{}),
		Networks:       either(o, "networks", list(16, readNetwork), []Network{}),

		// 0 is none: the CLI of DC/OS sends it always.
		TaskKillGracePeriodSeconds: unless(0, optional(o, "taskKillGracePeriodSeconds", seconds(86400))),
		LostAfterSeconds:           optional(o, "lostAfterSeconds", integer(0, boundYear)),
	}
	if len(r.Args) == 0 {
		r.Args = nil
	}
	return r
}

func readEnv(n node) Env {
	if value, ok := n.raw.(string); ok {
		return Env{Value: text(0, boundValue)(node{path: n.path, raw: value, out: n.out})}
	}
	if _, ok := n.raw.(map[string]any); !ok {
		n.expected("string or object")
		return Env{}
	}
	secret := required(n.object("secret"), "secret", text(1, boundName))
	return Env{Secret: &secret}
}

func readSecret(n node) Secret {
	return Secret{Source: required(n.open(), "source", text(1, boundText))}
}

func readPlacement(n node) Placement {
	return Placement{Constraints: either(n.object("constraints"), "constraints", list(64, readConstraint), []Constraint{})}
}

func readConstraint(n node) Constraint {
	o := n.object("attribute", "operator", "value")
	c := Constraint{
		Attribute: required(o, "attribute", text(1, boundName)),
		Operator:  required(o, "operator", word(v1alpha1.PlacementIs, v1alpha1.PlacementEq, v1alpha1.PlacementLike, v1alpha1.PlacementUnlike)),
		Value:     optional(o, "value", text(0, boundText)),
	}
	switch c.Operator {
	case v1alpha1.PlacementEq:
		c.Operator = v1alpha1.PlacementIs
	case v1alpha1.PlacementLike, v1alpha1.PlacementUnlike:
		if value, ok := o.get("value"); ok && c.Value != nil {
			_, err := syntax.Parse(*c.Value, syntax.Perl)
			if err == nil {
				_, err = regexp.Compile(*c.Value)
			}
			if err != nil {
				value.fail("the regular expression is not one of RE2: %v", err)
			}
			n.out.check(*c.Value != "", value.path, "an empty regular expression matches nothing")
		}
	case v1alpha1.PlacementIs:
	}
	return c
}

func readArtifact(n node) Artifact {
	o := n.object("uri", "extract", "executable", "cache")
	return Artifact{
		URI:        required(o, "uri", text(1, boundText)),
		Extract:    either(o, "extract", boolean, true),
		Executable: either(o, "executable", boolean, false),
		Cache:      either(o, "cache", boolean, false),
	}
}

func readDocker(n node) Docker {
	o := n.object("image", "privileged", "parameters", "forcePullImage")
	return Docker{
		Image:          required(o, "image", matching(imageName, boundText)),
		Privileged:     either(o, "privileged", boolean, false),
		Parameters:     either(o, "parameters", list(128, readParameter), []v1alpha1.DockerParameter{}),
		ForcePullImage: either(o, "forcePullImage", boolean, false),
	}
}

func readParameter(n node) v1alpha1.DockerParameter {
	o := n.object("key", "value")
	return v1alpha1.DockerParameter{Key: required(o, "key", text(1, boundName)), Value: required(o, "value", text(0, 65536))}
}

func readUCR(n node) UCR {
	o := n.object("image", "privileged")
	return UCR{Image: required(o, "image", readImage), Privileged: either(o, "privileged", boolean, false)}
}

func readImage(n node) Image {
	o := n.object("id", "kind", "forcePull")
	i := Image{
		ID:        required(o, "id", matching(imageName, boundText)),
		Kind:      either(o, "kind", word(defaultKind, "appc"), defaultKind),
		ForcePull: either(o, "forcePull", boolean, false),
	}
	n.out.check(i.Kind != "appc", n.path+"/kind", "images of kind appc are not supported: nobody makes them any more, and no runtime of Kubernetes takes them")
	return i
}

// readVolume takes the two forms that Metronome knows by their members.
func readVolume(n node) Volume {
	o := n.open()
	names := strings.Join(slices.Sorted(maps.Keys(o.members)), " ")
	if names != "containerPath hostPath mode" && names != "containerPath secret" {
		is, err := json.Marshal(n.raw)
		if err == nil && o.members != nil {
			n.fail("expected HostVolume or SecretVolume object but got %s: it has containerPath, hostPath and mode, or containerPath and secret", cut(string(is)))
		}
		return Volume{}
	}
	return Volume{
		ContainerPath: required(o, "containerPath", text(1, boundText)),
		HostPath:      optional(o, "hostPath", text(1, boundText)),
		Mode:          either(o, "mode", word(v1alpha1.VolumeReadOnly, v1alpha1.VolumeReadWrite), ""),
		Secret:        optional(o, "secret", text(1, boundName)),
	}
}

func readRestart(n node) Restart {
	o := n.object("policy", "activeDeadlineSeconds")
	return Restart{
		Policy:                required(o, "policy", word(v1alpha1.RestartNever, v1alpha1.RestartOnFailure)),
		ActiveDeadlineSeconds: optional(o, "activeDeadlineSeconds", integer(0, boundYear)),
	}
}

func readNetwork(n node) Network {
	o := n.object("name", "mode", "labels")
	return Network{
		Name:   optional(o, "name", text(0, boundName)),
		Mode:   required(o, "mode", word(v1alpha1.NetworkHost, v1alpha1.NetworkBridge, v1alpha1.NetworkContainer)),
		Labels: either(o, "labels", dictionary(64, nil, text(0, boundValue)), nil),
	}
}
