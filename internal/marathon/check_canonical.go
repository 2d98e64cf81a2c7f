// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/utils/ptr"

	"github.com/kdcos/kdcos/api/v1alpha1"
	"github.com/kdcos/kdcos/internal/pathid"
)

// Labels with a meaning to Marathon.
const (
	labelSingleInstance   = "MARATHON_SINGLE_INSTANCE_APP"
	labelMigrationVersion = "DCOS_MIGRATION_API_VERSION"
	labelMigrationPath    = "DCOS_MIGRATION_API_PATH"
	labelFrameworkName    = "DCOS_PACKAGE_FRAMEWORK_NAME"
)

const cmdOrContainer = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."

// checkCanonical holds Marathon's rules for the canonical form. Networks without
// a name have none yet, and an app with no container has none, whatever its
// network.
func checkCanonical(a *App, opts Options, p *problems) {
	checkIDs(a, p)
	checkContainer(a, p)
	checkPorts(a, p)
	checkCommand(a, p)
	checkHealth(a, p)
	for i, f := range a.Fetch {
		p.check(isURI(f.URI), index("/fetch", i)+"/uri", invalidURI)
	}
	checkResourceLimits(a, p)
	checkSecrets(a, p)
	checkRoles(a, opts, p)
	checkLabels(a, p)
	checkReadiness(a, p)
	checkStrategies(a, p)
	for i, c := range a.Constraints {
		if message := checkConstraint(c); message != "" {
			p.add(index("/constraints", i), message)
		}
	}
	checkNetworks(a, opts, p)
	checkExternalVolumes(a, p)
}

func checkIDs(a *App, p *problems) {
	if err := pathid.Validate(a.ID); err != nil {
		p.add("/id", err.Error())
	}
	for i, dependency := range a.Dependencies {
		if err := pathid.ValidateGroup(dependency); err != nil {
			p.add(index("/dependencies", i), err.Error())
		}
		itself := strings.HasPrefix(a.ID+"/", strings.TrimSuffix(dependency, "/")+"/")
		p.check(!itself, "", "Dependency graph has cyclic dependencies.")
	}
}

func checkCommand(a *App, p *problems) {
	cmd, args := a.Cmd != nil, len(a.Args) > 0
	container := a.Container != nil && (a.Container.Type == v1alpha1.EngineMesos || a.Container.Docker != nil)
	p.check(cmd != args || !cmd && !args && container, "", cmdOrContainer)
	p.check(!cmd || utf8.RuneCountInString(*a.Cmd) > 1, "", "must not be an empty string")
	docker := a.Container != nil && a.Container.Type == v1alpha1.EngineDocker
	p.check(!docker || ptr.Deref(a.Gpus, 0) == 0, "", "GPU resources only work with the Mesos containerizer")
}

func checkPorts(a *App, p *problems) {
	p.check(namesUnique(a.PortDefinitions, definitionName), "/portDefinitions", portNamesUnique)
	ports := make([]int32, 0, len(a.PortDefinitions))
	for _, d := range a.PortDefinitions {
		ports = append(ports, ptr.Deref(d.Port, 0))
	}
	p.check(portNumbersUnique(ports), "/portDefinitions", portsUnique)
}

func checkResourceLimits(a *App, p *problems) {
	if a.ResourceLimits == nil {
		return
	}
	for _, r := range []struct {
		path    string
		limit   *ResourceLimit
		request float64
	}{
		{"/resourceLimits/cpus", a.ResourceLimits.Cpus, *a.Cpus},
		{"/resourceLimits/mem", a.ResourceLimits.Mem, *a.Mem},
	} {
		switch {
		case r.limit == nil:
		case r.limit.Text != nil:
			p.check(*r.limit.Text == v1alpha1.Unlimited, r.path, "'"+*r.limit.Text+"' is an invalid resource limit. It must be 'unlimited' or a number")
		default:
			p.check(r.limit.Number >= r.request, r.path, "resource limit must be greater than or equal to requested resource ("+decimal(r.request)+")")
		}
	}
}

func checkSecrets(a *App, p *problems) {
	for i, name := range sortedKeys(a.Secrets) {
		p.check(name != "", index("/secrets/keys", i), mustNotBeEmpty)
		p.check(a.Secrets[name].Source != "", "/secrets/"+name+"/source", mustNotBeEmpty)
	}
	for i, name := range sortedKeys(a.Env) {
		p.check(name != "", index("/env/keys", i), mustNotBeEmpty)
		if secret := a.Env[name].Secret; secret != nil {
			_, ok := a.Secrets[*secret]
			p.check(ok, "/env/"+name+"/secret", "references an undefined secret")
		}
	}
}

// checkRoles holds the rules of Marathon 1.11: an app has the default role or
// that of its group, and accepts its own and the unreserved one.
func checkRoles(a *App, opts Options, p *problems) {
	roles := opts.roles(a.ID)
	p.check(slices.Contains(roles, *a.Role), "/role", got(*a.Role, "one of: ["+strings.Join(roles, ", ")+"]"))
	if a.AcceptedResourceRoles == nil {
		return
	}
	const path = "/acceptedResourceRoles"
	p.check(len(a.AcceptedResourceRoles) > 0, path, mustNotBeEmpty)
	resident := a.Residency != nil && !slices.Equal(a.AcceptedResourceRoles, []string{v1alpha1.RoleUnreserved})
	p.check(!resident, path, "A resident app must have `acceptedResourceRoles = [\"*\"]`.")
	allowed := distinct([]string{v1alpha1.RoleUnreserved, *a.Role})
	for i, role := range a.AcceptedResourceRoles {
		p.check(role != "", index(path, i), `A role name must not be "".`)
		p.check(slices.Contains(allowed, role), path, "acceptedResourceRoles can only contain "+strings.Join(allowed, " and "))
	}
}

func checkLabels(a *App, p *problems) {
	if version := a.Labels[labelMigrationVersion]; version != "" {
		p.check(version == "v1" && a.Labels[labelMigrationPath] != "" && a.Labels[labelFrameworkName] != "", "",
			"DCOS_PACKAGE_FRAMEWORK_NAME and DCOS_MIGRATION_API_PATH must be defined when using DCOS_MIGRATION_API_VERSION")
	}
	p.check(!a.singleInstance() || *a.Instances <= 1, "", "Single instance app may only have one instance")
}

func (a *App) singleInstance() bool { return a.Labels[labelSingleInstance] == "true" }

// checkStrategies holds what residency and the single-instance label ask of
// strategies that are given. Those that are not follow later.
func checkStrategies(a *App, p *problems) {
	if a.UpgradeStrategy != nil {
		checkUpgradeStrategy(a, *a.UpgradeStrategy, p)
	}
	if s := a.UnreachableStrategy; s != nil && a.Residency != nil {
		p.check(s.Disabled, "", unreachableDisabled)
	}
}

const unreachableDisabled = "unreachableStrategy must be disabled for resident tasks"

func checkUpgradeStrategy(a *App, s UpgradeStrategy, p *problems) {
	zero := func(name string, value float64) {
		p.check(value == 0, "/upgradeStrategy/"+name, got(decimal(value), "0.0"))
	}
	if a.singleInstance() {
		zero("minimumHealthCapacity", s.MinimumHealthCapacity)
	}
	if a.singleInstance() || a.Residency != nil || a.usesProvider(v1alpha1.ProviderDVDI) {
		zero("maximumOverCapacity", s.MaximumOverCapacity)
	}
}
