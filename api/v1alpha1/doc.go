// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the narrow waist of kdcos: the kinds of the API group
// kdcos.io, their defaults, their conditions and the labels our objects carry.
// It says what a user may ask for and what is reported back; it never decides
// what to do about it.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=kdcos.io
package v1alpha1
