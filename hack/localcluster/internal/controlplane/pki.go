// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kdcos/kdcos/hack/localcluster/internal/atomicfile"
)

// validity outlasts any local cluster.
const validity = 5 * 365 * 24 * time.Hour

// authority is a certificate authority with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// file is the path of the certificate.
	file string
}

// Identity says what a certificate is for. Organizations are Kubernetes groups.
type Identity struct {
	Name          string
	Organizations []string
	DNSNames      []string
	Addresses     []netip.Addr
}

// ensureAuthority loads the authority or makes a new one, if it is missing or was half written.
func ensureAuthority(dir, name string) (*authority, error) {
	certFile, keyFile := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if cert, key, err := loadPair(certFile, keyFile); err == nil && time.Now().Before(cert.NotAfter) {
		return &authority{cert: cert, key: key, file: certFile}, nil
	}
	key, err := writeKey(keyFile)
	if err != nil {
		return nil, err
	}
	template := certificate(Identity{Name: "kdcos-localcluster-" + name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	cert, err := sign(certFile, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, file: certFile}, nil
}

// ensure loads a certificate of this authority or makes a new one, if it is missing, half written, signed by somebody
// else or made for another identity. It returns the paths of certificate and key.
func (a *authority) ensure(dir, name string, identity Identity) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if cert, _, err := loadPair(certFile, keyFile); err == nil && a.stillGood(cert, identity) {
		return certFile, keyFile, nil
	}
	key, err := writeKey(keyFile)
	if err != nil {
		return "", "", err
	}
	template := certificate(identity)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	_, err = sign(certFile, template, a.cert, key.Public(), a.key)
	return certFile, keyFile, err
}

func (a *authority) stillGood(cert *x509.Certificate, identity Identity) bool {
	want := certificate(identity)
	return cert.CheckSignatureFrom(a.cert) == nil &&
		time.Now().Before(cert.NotAfter) &&
		cert.Subject.CommonName == want.Subject.CommonName &&
		slices.Equal(cert.Subject.Organization, want.Subject.Organization) &&
		slices.Equal(cert.DNSNames, want.DNSNames) &&
		slices.EqualFunc(cert.IPAddresses, want.IPAddresses, net.IP.Equal)
}

func certificate(identity Identity) *x509.Certificate {
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: identity.Name, Organization: identity.Organizations},
		DNSNames: identity.DNSNames,
		// A clock that is set back a little must not void a new certificate.
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(validity),
	}
	for _, address := range identity.Addresses {
		template.IPAddresses = append(template.IPAddresses, address.AsSlice())
	}
	return template
}

func sign(file string, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	if err := atomicfile.Write(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func writeKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, atomicfile.Write(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// loadPair reads a certificate and its key and makes sure that they belong together.
func loadPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certDER, err := readPEM(certFile)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, nil, err
	}
	key, err := loadKey(keyFile)
	if err != nil {
		return nil, nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("certificate and key do not belong together")
	}
	return cert, key, nil
}

func loadKey(file string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	return x509.ParseECPrivateKey(der)
}

func readPEM(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", file)
	}
	return block.Bytes, nil
}

// ensureSigningKey makes the key pair that service account tokens are signed with.
func ensureSigningKey(dir string) (public, private string, err error) {
	public, private = filepath.Join(dir, "sa.pub"), filepath.Join(dir, "sa.key")
	key, err := loadKey(private)
	if err != nil {
		if key, err = writeKey(private); err != nil {
			return "", "", err
		}
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", "", fmt.Errorf("make signing key: %w", err)
	}
	return public, private, atomicfile.Write(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644)
}
