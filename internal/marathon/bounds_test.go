// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/testkit/admission"
)

// bound is a part of a definition that has a size, and the largest it may have.
type bound struct {
	path string
	most int
	part func(n int) string
}

func text(member string) func(int) string {
	return func(n int) string { return fmt.Sprintf(member, `"`+strings.Repeat("a", n)+`"`) }
}

func items(member, item string) func(int) string {
	return func(n int) string {
		var all []string
		for i := range n {
			all = append(all, strings.ReplaceAll(item, "#", fmt.Sprint(i)))
		}
		return fmt.Sprintf(member, strings.Join(all, ","))
	}
}

func value(member string) func(int) string {
	return func(n int) string { return fmt.Sprintf(member, n) }
}

const (
	inCheck  = `"cmd":"sleep 9","healthChecks":[{"port":80,%s}]`
	inDocker = `"container":{"docker":{"image":"x",%s}}`
	inUCR    = `"networks":[{"name":"n"}],"container":{"type":"MESOS","docker":{"image":"x"},%s}`
	inVolume = `"cmd":"sleep 9","container":{"type":"MESOS","volumes":[{"mode":"RW",%s}]}`
	inCSI    = `"cmd":"sleep 9","container":{"type":"MESOS","volumes":[{"mode":"RW","containerPath":"a","external":{"name":"v","provider":"csi","options":{%s}}}]}`
	csiRest  = `"pluginName":"p","capability":{"accessMode":"SINGLE_NODE_WRITER","accessType":"mount"}`
)

var appBounds = []bound{
	{"/cmd", 131072, text(`"cmd":%s`)},
	{"/args", 1024, items(`"args":[%s]`, `"a#"`)},
	{"/user", 253, text(cmd + `"user":%s`)},
	{"/instances", 100000, value(cmd + `"instances":%d`)},
	{"/cpus", 100000, value(cmd + `"cpus":%d`)},
	{"/mem", 1 << 30, value(cmd + `"mem":%d`)},
	{"/disk", 1 << 30, value(cmd + `"disk":%d`)},
	{"/gpus", 1024, value(cmd + `"gpus":%d`)},
	{"/backoffSeconds", 604800, value(cmd + `"backoffSeconds":%d`)},
	{"/backoffFactor", 1000, value(cmd + `"backoffFactor":%d`)},
	{"/maxLaunchDelaySeconds", 604800, value(cmd + `"maxLaunchDelaySeconds":%d`)},
	{"/taskKillGracePeriodSeconds", 86400, value(cmd + `"taskKillGracePeriodSeconds":%d`)},
	{"/drainSeconds", 86400, value(cmd + `"drainSeconds":%d`)},
	{"/rollout/canaryInstances", 100000, value(cmd + `"rollout":{"canaryInstances":%d}`)},
	{"/rollout/progressDeadlineSeconds", 604800, value(cmd + `"rollout":{"progressDeadlineSeconds":%d}`)},
	{"/unreachableStrategy/expungeAfterSeconds", 31536000, value(cmd + `"unreachableStrategy":{"expungeAfterSeconds":%d}`)},
	{"/executorResources/cpus", 1000, value(cmd + `"executorResources":{"cpus":%d}`)},
	{"/executorResources/mem", 1 << 30, value(cmd + `"executorResources":{"mem":%d}`)},
	{"/executorResources/disk", 1 << 30, value(cmd + `"executorResources":{"disk":%d}`)},
	{"/resourceLimits/cpus", 2147483647, value(cmd + `"resourceLimits":{"cpus":%d}`)},
	{"/resourceLimits/mem", 9999999999, value(cmd + `"resourceLimits":{"mem":%d}`)},
	{"/labels", 512, items(cmd+`"labels":{%s}`, `"l#":""`)},
	{"/labels/a", 262144, text(cmd + `"labels":{"a":%s}`)},
	{"/env", 1024, items(cmd+`"env":{%s}`, `"E#":""`)},
	{"/env/A", 262144, text(cmd + `"env":{"A":%s}`)},
	{"/secrets", 64, items(cmd+`"secrets":{%s}`, `"s#":{"source":"s"}`)},
	{"/secrets/a/source", 1024, text(cmd + `"secrets":{"a":{"source":%s}}`)},
	{"/fetch", 256, items(cmd+`"fetch":[%s]`, `{"uri":"u#"}`)},
	{"/fetch(0)/uri", 1024, text(cmd + `"uris":[%s]`)},
	{"/constraints", 64, items(cmd+`"constraints":[%s]`, `["a","IS","#"]`)},
	{"/constraints(0)(0)", 253, text(cmd + `"constraints":[[%s,"UNIQUE"]]`)},
	{"/constraints(0)(2)", 1024, text(cmd + `"constraints":[["a","IS",%s]]`)},
	{"/dependencies", 128, items(cmd+`"dependencies":[%s]`, `"/d#"`)},
	{"/dependencies(0)", 1024, func(n int) string { return cmd + `"dependencies":["/` + strings.Repeat("d", n-1) + `"]` }},
	{"/networks", 16, items(ucr+`"networks":[%s]`, `{"name":"n#"}`)},
	{"/networks(0)/name", 253, text(cmd + `"ipAddress":{"networkName":%s}`)},
	{"/networks(0)/labels", 64, items(ucr+`"networks":[{"labels":{%s}}]`, `"l#":""`)},
	{"/portDefinitions", 256, items(cmd+`"portDefinitions":[%s]`, `{"port":0}`)},
	{"/portDefinitions(0)/port", 65535, value(cmd + `"ports":[%d]`)},
	{"/portDefinitions(0)/name", 63, text(cmd + `"portDefinitions":[{"name":%s}]`)},
	{"/portDefinitions(0)/labels", 64, items(cmd+`"portDefinitions":[{"labels":{%s}}]`, `"VIP_#":""`)},
	{"/healthChecks", 16, items(cmd+`"healthChecks":[%s]`, `{"port":80,"path":"#"}`)},
	{"/healthChecks(0)/path", 1024, text(fmt.Sprintf(inCheck, `"path":%s`))},
	{"/healthChecks(0)/gracePeriodSeconds", 604800, value(fmt.Sprintf(inCheck, `"gracePeriodSeconds":%d`))},
	{"/healthChecks(0)/maxConsecutiveFailures", 100000, value(fmt.Sprintf(inCheck, `"maxConsecutiveFailures":%d`))},
	{"/healthChecks(0)/command/value", 65536, text(cmd + `"healthChecks":[{"protocol":"COMMAND","command":{"value":%s}}]`)},
	{"/check/intervalSeconds", 604800, value(cmd + `"check":{"tcp":{},"intervalSeconds":%d}`)},
	{"/check/exec/command/shell", 65536, text(cmd + `"check":{"exec":{"command":{"shell":%s}}}`)},
	{"/check/exec/command/argv", 1024, items(cmd+`"check":{"exec":{"command":{"argv":[%s]}}}`, `"#"`)},
	{"/readinessChecks(0)/name", 253, text(cmd + `"readinessChecks":[{"portName":"default","name":%s}]`)},
	{"/readinessChecks(0)/intervalSeconds", 604800, value(cmd + `"readinessChecks":[{"portName":"default","intervalSeconds":%d}]`)},
	{"/readinessChecks(0)/httpStatusCodesForReady", 64, func(n int) string {
		codes := make([]string, n)
		for i := range codes {
			codes[i] = fmt.Sprint(200 + i)
		}
		return cmd + `"readinessChecks":[{"portName":"default","httpStatusCodesForReady":[` + strings.Join(codes, ",") + `]}]`
	}},
	{"/readinessChecks(0)/httpStatusCodesForReady(0)", 999, value(cmd + `"readinessChecks":[{"portName":"default","httpStatusCodesForReady":[%d]}]`)},
	{"/container/docker/image", 1024, text(`"container":{"docker":{"image":%s}}`)},
	{"/container/docker/parameters", 128, items(fmt.Sprintf(inDocker, `"parameters":[%s]`), `{"key":"k","value":"#"}`)},
	{"/container/docker/parameters(0)/key", 253, text(fmt.Sprintf(inDocker, `"parameters":[{"key":%s,"value":""}]`))},
	{"/container/docker/parameters(0)/value", 65536, text(fmt.Sprintf(inDocker, `"parameters":[{"key":"k","value":%s}]`))},
	{"/container/portMappings", 256, items(fmt.Sprintf(inUCR, `"portMappings":[%s]`), `{"name":"p#"}`)},
	{"/container/portMappings(0)/name", 63, text(fmt.Sprintf(inUCR, `"portMappings":[{"name":%s}]`))},
	{"/container/portMappings(0)/labels", 64, items(fmt.Sprintf(inUCR, `"portMappings":[{"labels":{%s}}]`), `"VIP_#":""`)},
	{"/container/volumes", 128, items(fmt.Sprintf(inUCR, `"volumes":[%s]`), `{"containerPath":"/#","hostPath":"/h","mode":"RO"}`)},
	{"/container/volumes(0)/containerPath", 1024, text(fmt.Sprintf(inVolume, `"hostPath":"/h","containerPath":%s`))},
	{"/container/volumes(0)/hostPath", 1024, text(fmt.Sprintf(inVolume, `"containerPath":"/h","hostPath":%s`))},
	{"/container/volumes(0)/persistent/size", 1 << 40, value(fmt.Sprintf(inVolume, `"containerPath":"a","persistent":{"size":%d}`))},
	{"/container/volumes(0)/persistent/maxSize", 1 << 40, value(fmt.Sprintf(inVolume, `"containerPath":"a","persistent":{"type":"mount","size":1,"maxSize":%d}`))},
	{"/container/volumes(0)/persistent/profileName", 253, text(fmt.Sprintf(inVolume, `"containerPath":"a","persistent":{"size":1,"profileName":%s}`))},
	{"/container/volumes(0)/persistent/constraints", 16, items(fmt.Sprintf(inVolume, `"containerPath":"a","persistent":{"type":"path","size":1,"constraints":[%s]}`), `["path","LIKE","#"]`)},
	{"/container/volumes(0)/external/name", 253, text(fmt.Sprintf(inVolume, `"containerPath":"a","external":{"provider":"dvdi","options":{"dvdi/driver":"d"},"name":%s}`))},
	{"/container/volumes(0)/external/size", 1 << 20, value(fmt.Sprintf(inVolume, `"containerPath":"a","external":{"provider":"dvdi","options":{"dvdi/driver":"d"},"name":"v","size":%d}`))},
	{"/container/volumes(0)/external/options", 64, func(n int) string {
		return fmt.Sprintf(inVolume, `"containerPath":"a","external":{"provider":"dvdi","name":"v","options":{"dvdi/driver":"d",`+items("%s", `"dvdi/o#":""`)(n-1)+`}}`)
	}},
	{"/container/volumes(0)/external/options/pluginName", 253, text(fmt.Sprintf(inCSI, `"capability":{"accessMode":"SINGLE_NODE_WRITER","accessType":"mount"},"pluginName":%s`))},
	{"/container/volumes(0)/external/options/volumeContext", 64, items(fmt.Sprintf(inCSI, csiRest+`,"volumeContext":{%s}`), `"c#":""`)},
	{"/container/volumes(0)/external/options/nodeStageSecret", 64, items(fmt.Sprintf(inCSI, csiRest+`,"nodeStageSecret":{%s}`), `"c#":""`)},
	{"/container/volumes(0)/external/options/nodePublishSecret", 64, items(fmt.Sprintf(inCSI, csiRest+`,"nodePublishSecret":{%s}`), `"c#":""`)},
	{"/container/volumes(0)/external/options/capability/fsType", 63, text(fmt.Sprintf(inCSI, `"pluginName":"p","capability":{"accessMode":"SINGLE_NODE_WRITER","accessType":"mount","fsType":%s}`))},
	{"/container/volumes(0)/external/options/capability/mountFlags", 64, items(fmt.Sprintf(inCSI, `"pluginName":"p","capability":{"accessMode":"SINGLE_NODE_WRITER","accessType":"mount","mountFlags":[%s]}`), `"f#"`)},
	{"/container/linuxInfo/seccomp/profileName", 253, text(fmt.Sprintf(inUCR, `"linuxInfo":{"seccomp":{"profileName":%s}}`))},
	{"/container/linuxInfo/ipcInfo/shmSize", 1 << 30, value(fmt.Sprintf(inUCR, `"linuxInfo":{"ipcInfo":{"mode":"PRIVATE","shmSize":%d}}`))},
}

// TestBounds holds that what is as large as it may be is accepted and admitted,
// and that what is larger is refused at its own path.
func TestBounds(t *testing.T) {
	schema := admission.App(t)
	for _, b := range appBounds {
		app, err := boundApp(t, b.part(b.most))
		if err != nil {
			t.Errorf("%s at %d: %.300v", b.path, b.most, err)
			continue
		}
		checkApp(t, schema, b.path, app)
		_, err = boundApp(t, b.part(b.most+1))
		var refused *marathon.Error
		if !errors.As(err, &refused) || refused.Details[0].Path != b.path || len(refused.Details) > 1 {
			t.Errorf("%s at %d: %.300v", b.path, b.most+1, err)
		}
	}
}

func boundApp(t *testing.T, members string) (*v1alpha1.App, error) {
	t.Helper()
	decoded, err := marathon.Decode([]byte(`{"id":"/x",` + members + `}`))
	if err != nil {
		t.Fatalf("%.200s: %v", members, err)
	}
	return decoded[0].ToApp(marathon.Options{})
}
