// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"math"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var (
	healthProtocol = enum(
		v1alpha1.HealthHTTP, v1alpha1.HealthHTTPS, v1alpha1.HealthTCP, v1alpha1.HealthCommand,
		v1alpha1.HealthMesosTCP, v1alpha1.HealthMesosHTTP, v1alpha1.HealthMesosHTTPS,
	)
	scheme = enum("HTTP", "HTTPS")
)

func readHealthCheck(n node) HealthCheck {
	o := n.fields()
	return HealthCheck{
		Command:                optional(o, "command", readHealthCommand),
		GracePeriodSeconds:     optional(o, "gracePeriodSeconds", seconds),
		IgnoreHTTP1xx:          optional(o, "ignoreHttp1xx", boolean),
		IntervalSeconds:        optional(o, "intervalSeconds", seconds),
		MaxConsecutiveFailures: optional(o, "maxConsecutiveFailures", seconds),
		Path:                   optional(o, "path", text()),
		Port:                   optional(o, "port", anyPort),
		PortIndex:              optional(o, "portIndex", anyPort),
		Protocol:               either(o, "protocol", healthProtocol),
		IPProtocol:             either(o, "ipProtocol", enum("IPv4", "IPv6")),
		TimeoutSeconds:         optional(o, "timeoutSeconds", int32s(math.MinInt32, math.MaxInt32)),
		DelaySeconds:           optional(o, "delaySeconds", seconds),
	}
}

func readHealthCommand(n node) HealthCommand {
	return HealthCommand{Value: expected(n.fields(), "value", text())}
}

func readCheck(n node) Check {
	o := n.fields()
	return Check{
		HTTP:            optional(o, "http", readHTTPCheck),
		TCP:             optional(o, "tcp", readTCPCheck),
		Exec:            optional(o, "exec", readExecCheck),
		IntervalSeconds: optional(o, "intervalSeconds", seconds),
		TimeoutSeconds:  optional(o, "timeoutSeconds", seconds),
		DelaySeconds:    optional(o, "delaySeconds", seconds),
	}
}

func readHTTPCheck(n node) HTTPCheck {
	o := n.fields()
	return HTTPCheck{
		PortIndex: optional(o, "portIndex", anyPort),
		Port:      optional(o, "port", anyPort),
		Path:      optional(o, "path", filePath),
		Scheme:    either(o, "scheme", scheme),
	}
}

func readTCPCheck(n node) TCPCheck {
	o := n.fields()
	return TCPCheck{
		PortIndex: optional(o, "portIndex", anyPort),
		Port:      optional(o, "port", anyPort),
	}
}

func readExecCheck(n node) ExecCheck {
	return ExecCheck{Command: expected(n.fields(), "command", readShellOrArgv)}
}

// readShellOrArgv takes a shell command where there is one, else arguments.
func readShellOrArgv(n node) ShellOrArgv {
	o := n.fields()
	if shell, ok := o.members["shell"].(string); ok && shell != "" {
		return ShellOrArgv{Shell: &shell}
	}
	argv := required(o, "argv", list(text()))
	if n, ok := o.member("argv"); ok && len(argv) == 0 {
		n.fail(tooShort)
	}
	return ShellOrArgv{Argv: argv}
}

func readReadinessCheck(n node) ReadinessCheck {
	o := n.fields()
	check := ReadinessCheck{
		Name:                    optional(o, "name", text(notEmpty)),
		Protocol:                either(o, "protocol", scheme),
		Path:                    optional(o, "path", filePath),
		PortName:                optional(o, "portName", text(notEmpty, portName)),
		IntervalSeconds:         optional(o, "intervalSeconds", seconds),
		TimeoutSeconds:          optional(o, "timeoutSeconds", int32s(1, math.MaxInt32)),
		HTTPStatusCodesForReady: either(o, "httpStatusCodesForReady", set(int32s(math.MinInt32, math.MaxInt32))),
		PreserveLastResponse:    optional(o, "preserveLastResponse", boolean),
	}
	if codes, ok := o.member("httpStatusCodesForReady"); ok && len(check.HTTPStatusCodesForReady) == 0 {
		codes.fail(tooShort)
	}
	return check
}
