// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package marathon

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// archives are the extensions of what the Mesos fetcher unpacks.
var archives = []string{".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip"}

// uriParts takes a URI apart as RFC 2396 does: scheme, authority, path, query,
// fragment. Every text matches.
var uriParts = regexp.MustCompile(`^(?:([^:/?#]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$`)

var (
	uriScheme  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	uriEscapes = regexp.MustCompile(`%([^0-9A-Fa-f]|$|[0-9A-Fa-f]([^0-9A-Fa-f]|$))`)
)

// isURI says whether java.net.URI takes the text, by which Marathon judged it:
// RFC 2396, and any letter beyond ASCII.
func isURI(s string) bool {
	if strings.ContainsAny(s, "\n\r") {
		return false
	}
	m := uriParts.FindStringSubmatchIndex(s)
	part := func(i int) (string, bool) {
		if m == nil || m[2*i] < 0 {
			return "", false
		}
		return s[m[2*i]:m[2*i+1]], true
	}
	scheme, hasScheme := part(1)
	authority, hasAuthority := part(2)
	path, _ := part(3)
	query, _ := part(4)
	fragment, _ := part(5)
	if hasScheme && !uriScheme.MatchString(scheme) {
		return false
	}
	if hasScheme && !hasAuthority && path == "" {
		return false // a scheme and nothing it is for
	}
	if hasAuthority && authority == "" && path == "" {
		return false
	}
	opaque := hasScheme && !hasAuthority && !strings.HasPrefix(path, "/")
	return legalURI(authority, "[]") && legalURI(path, map[bool]string{true: "[]?"}[opaque]) &&
		legalURI(query, "[]") && legalURI(fragment, "[]")
}

// legalURI says whether a part of a URI has only characters of unreserved,
// reserved, escaped and other, where brackets are so only where given.
func legalURI(part, brackets string) bool {
	if uriEscapes.MatchString(part) {
		return false
	}
	for _, r := range part {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
		case r > unicode.MaxASCII:
			if unicode.IsControl(r) || unicode.IsSpace(r) {
				return false
			}
		case !strings.ContainsRune("-_.!~*'();/?:@&=+$,%"+brackets, r):
			return false
		}
	}
	return true
}

// isArchive says whether the extension of a URI's path is one that the fetcher
// unpacks: what extract is by default for an entry of uris.
func isArchive(uri string) bool {
	if !isURI(uri) {
		return false
	}
	m := uriParts.FindStringSubmatch(uri)
	if m[1] != "" && !strings.HasPrefix(uri, m[1]+":/") {
		return false // no path to speak of
	}
	path, err := url.PathUnescape(m[3])
	if err != nil {
		return false
	}
	for _, extension := range archives {
		if strings.HasSuffix(path, extension) {
			return true
		}
	}
	return false
}
