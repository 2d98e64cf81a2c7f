// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/kdcos/kdcos/api/v1alpha1"
)

var mesosValue = regexp.MustCompile(`^[a-zA-Z0-9_/.-]*$`)

// checkConstraint returns what is wrong with a constraint of an app, "" if
// nothing is.
func checkConstraint(c []string) string {
	switch {
	case len(c) < 2 || len(c) > 3:
		return "Each constraint must have either 2 or 3 fields"
	case c[0] == "":
		return "illegal constraint specification"
	}
	value, given := "", len(c) == 3
	if given {
		value = c[2]
	}
	_, err := strconv.ParseInt(value, 10, 32)
	number := err == nil
	switch v1alpha1.ConstraintOperator(strings.ToUpper(c[1])) {
	case v1alpha1.ConstraintUnique:
		return unless(!given, "UNIQUE does not accept a value")
	case v1alpha1.ConstraintCluster:
		return ""
	case v1alpha1.ConstraintGroupBy:
		return unless(!given || number, "GROUP BY must define an integer value or else no value at all")
	case v1alpha1.ConstraintMaxPer:
		return unless(number, "MAX_PER requires an integer value")
	case v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike:
		if !given {
			return "LIKE and UNLIKE require a non-empty, regular expression value"
		}
		return unless(isRegexp(value), "is not a valid regular expression")
	case v1alpha1.ConstraintIs:
		return unless(mesosValue.MatchString(value), "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)")
	}
	return "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
}

// checkVolumeConstraint returns what is wrong with a constraint on a disk. Here
// operators are in upper case only.
func checkVolumeConstraint(c []string) string {
	switch {
	case len(c) == 0:
		return "Missing field and operator"
	case len(c) != 3 || c[0] != "path":
		return "Unsupported constraint " + strings.Join(c, ",")
	}
	switch v1alpha1.ConstraintOperator(c[1]) {
	case v1alpha1.ConstraintLike, v1alpha1.ConstraintUnlike:
		return unless(isRegexp(c[2]), "Invalid regular expression")
	case v1alpha1.ConstraintUnique, v1alpha1.ConstraintCluster, v1alpha1.ConstraintGroupBy, v1alpha1.ConstraintMaxPer, v1alpha1.ConstraintIs:
		return "Operator must be one of LIKE, UNLIKE"
	}
	return "unknown constraint operator " + c[1]
}

func unless(ok bool, message string) string {
	if ok {
		return ""
	}
	return message
}
