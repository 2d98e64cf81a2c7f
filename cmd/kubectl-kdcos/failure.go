// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/kdcos/kdcos/internal/marathon"
	"github.com/kdcos/kdcos/internal/metronome"
)

// errReported ends a command whose errors were told already, where they happened.
var errReported = cmdutil.ErrExit

// report prints the error that ended a command, as kubectl does.
func report(w io.Writer, err error) {
	if errors.Is(err, errReported) {
		return
	}
	var unreachable *url.Error
	var status *apierrors.StatusError
	switch {
	case isKindMissing(err):
	case errors.As(err, &status) && !apierrors.IsInvalid(status):
		if text, ok := cmdutil.StandardErrorMessage(status); ok {
			fmt.Fprintln(w, text)
			return
		}
	case errors.As(err, &unreachable):
		if text, ok := cmdutil.StandardErrorMessage(unreachable); ok {
			fmt.Fprintln(w, text)
			return
		}
	case clientcmd.IsConfigurationInvalid(err):
		fmt.Fprintf(w, "error: invalid configuration: %v\n", err)
		return
	}
	about := ""
	if status != nil && status.ErrStatus.Details != nil {
		about = fmt.Sprintf("the %s %q is invalid", status.ErrStatus.Details.Kind, status.ErrStatus.Details.Name)
	}
	complain(w, about, err)
}

// note prints what to know of something that is good.
func note(w io.Writer, about string, notes []string) {
	for _, text := range notes {
		fmt.Fprintf(w, "Warning: %s: %s\n", about, text)
	}
}

// complain prints an error about one of several things, a line for each reason.
func complain(w io.Writer, about string, err error) {
	if about != "" {
		about += ": "
	}
	for _, reason := range reasons(err) {
		fmt.Fprintf(w, "error: %s%s\n", about, reason)
	}
}

// reasons takes an error apart, where it holds several.
func reasons(err error) []string {
	var status *apierrors.StatusError
	var definition *marathon.Error
	var job *metronome.Error
	var conflict *conflictError
	switch {
	case errors.As(err, &conflict):
		return conflict.reasons()
	case isKindMissing(err):
		kind := "apps.kdcos.io"
		if errors.As(err, &status) && status.ErrStatus.Details.Kind != "" {
			kind = status.ErrStatus.Details.Kind + "." + status.ErrStatus.Details.Group
		}
		return []string{fmt.Sprintf("the server doesn't have a resource type %q: is kdcos installed in this cluster?", kind)}
	case errors.As(err, &definition):
		return marathonReasons(definition)
	case errors.As(err, &job):
		return metronomeReasons(job)
	case errors.As(err, &status):
		return statusReasons(status)
	}
	return []string{err.Error()}
}

// marathonReasons are the details of an error in Marathon's form.
func marathonReasons(err *marathon.Error) []string {
	var all []string
	for _, detail := range err.Details {
		where := detail.Path + ": "
		switch {
		case err.Status == http.StatusBadRequest:
			where = err.Message + ": " // what is no JSON has no places
		case detail.Path == "/":
			where = "" // the whole, which was named already
		}
		for _, reason := range detail.Errors {
			all = append(all, where+readable(reason))
		}
	}
	if len(all) == 0 {
		return []string{err.Message}
	}
	return all
}

// playErrors says what the keys mean that Marathon answers with where a value
// does not fit. Its own user interface never showed them in words.
var playErrors = map[string]string{
	"error.expected.jsarray":     "must be a list",
	"error.expected.jsboolean":   "must be true or false",
	"error.expected.int":         "must be a whole number",
	"error.expected.long":        "must be a whole number",
	"error.expected.jsnumber":    "must be a number",
	"error.expected.jsobject":    "must be an object",
	"error.expected.jsstring":    "must be a text",
	"error.unknown.enum.literal": "is none of the values there are",
	"error.path.missing":         "must be set",
	"error.min":                  "is too small",
	"error.max":                  "is too large",
	"error.minLength":            "is too short",
	"error.maxLength":            "is too long",
	"error.pattern":              "has a form that is not allowed",
}

// readable adds the words to a key.
func readable(reason string) string {
	if words, ok := playErrors[reason]; ok {
		return words + " (" + reason + ")"
	}
	return reason
}

// statusReasons are the causes of an answer of the API server.
func statusReasons(err *apierrors.StatusError) []string {
	status := err.Status()
	if status.Reason != metav1.StatusReasonInvalid && status.Reason != metav1.StatusReasonConflict || status.Details == nil {
		return []string{status.Message}
	}
	var all []string
	for _, cause := range status.Details.Causes {
		reason := strings.TrimPrefix(cause.Field+": "+cause.Message, ": ")
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			reason = cause.Message + " over " + cause.Field
		}
		if !slices.Contains(all, reason) {
			all = append(all, reason)
		}
	}
	if len(all) == 0 {
		return []string{status.Message}
	}
	return all
}

// isKindMissing tells "there is no such kind" from "there is no such object",
// which are both a 404.
func isKindMissing(err error) bool {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsNotFound(status) || status.ErrStatus.Details == nil {
		return false
	}
	return slices.ContainsFunc(status.ErrStatus.Details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}
