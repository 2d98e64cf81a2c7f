// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Fabric wires one cluster. All its methods say how things have to be: they do nothing where it is so already.
type Fabric struct {
	// Link is the name of the host's link.
	Link string
	Plan Plan
	// ControlPlane is the file of the control plane's network namespace.
	ControlPlane string
}

// Connect gives the control plane its switch and the host a port on it.
func (f Fabric) Connect() error {
	host := &netlink.Handle{}
	return inNamespace(f.ControlPlane, func(cp *netlink.Handle, ns netns.NsHandle) error {
		if err := ensureLoopback(cp); err != nil {
			return err
		}
		bridge, err := ensureBridge(cp, switchLink, hardwareAddress(f.Plan.ControlPlane()))
		if err != nil {
			return err
		}
		if err := ensureAddress(cp, bridge, f.Plan.ControlPlane(), machineBits); err != nil {
			return err
		}
		if err := connect(host, f.Link, hardwareAddress(f.Plan.Host()), cp, ns, hostPort); err != nil {
			return err
		}
		if err := plug(cp, bridge, hostPort); err != nil {
			return err
		}
		link, err := host.LinkByName(f.Link)
		if err != nil {
			return fmt.Errorf("find link %s: %w", f.Link, err)
		}
		if err := ensureAddress(host, link, f.Plan.Host(), machineBits); err != nil {
			return err
		}
		return bringUp(host, link)
	})
}

func ensureLoopback(h *netlink.Handle) error {
	link, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	return bringUp(h, link)
}

// plug puts a port into the switch and sets it up.
func plug(cp *netlink.Handle, bridge netlink.Link, name string) error {
	port, err := cp.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find port %s: %w", name, err)
	}
	if port.Attrs().MasterIndex != bridge.Attrs().Index {
		if err := cp.LinkSetMaster(port, bridge); err != nil {
			return fmt.Errorf("plug port %s: %w", name, err)
		}
	}
	return bringUp(cp, port)
}

// Attach connects a node to the switch and gives it its address and its routes to the pods of all nodes. A node that
// was cut off is connected again.
func (f Fabric) Attach(node Node, namespace string, all []Node) error {
	err := inNamespace(f.ControlPlane, func(cp *netlink.Handle, _ netns.NsHandle) error {
		return inNamespace(namespace, func(h *netlink.Handle, ns netns.NsHandle) error {
			bridge, err := cp.LinkByName(switchLink)
			if err != nil {
				return fmt.Errorf("find switch: %w", err)
			}
			// The name of a port is the name of its node.
			if err := connect(cp, node.Name, nil, h, ns, nodeLink); err != nil {
				return err
			}
			if err := plug(cp, bridge, node.Name); err != nil {
				return err
			}
			return f.configure(h, node, all)
		})
	})
	if err != nil {
		return fmt.Errorf("attach %s: %w", node.Name, err)
	}
	return nil
}

// configure is the node's own side of its network.
func (f Fabric) configure(h *netlink.Handle, node Node, all []Node) error {
	if err := ensureLoopback(h); err != nil {
		return err
	}
	void, err := ensureBridge(h, voidLink, nil)
	if err != nil {
		return err
	}
	link, err := h.LinkByName(nodeLink)
	if err != nil {
		return fmt.Errorf("find %s: %w", nodeLink, err)
	}
	own := f.Plan.Node(node.Number)
	if want := hardwareAddress(own); link.Attrs().HardwareAddr.String() != want.String() {
		if err := h.LinkSetHardwareAddr(link, want); err != nil {
			return fmt.Errorf("set hardware address: %w", err)
		}
	}
	if err := bringUp(h, link); err != nil {
		return err
	}
	if err := ensureAddress(h, link, own, machineBits); err != nil {
		return err
	}
	for _, other := range all {
		if other.Number == node.Number {
			continue
		}
		if err := ensureRoute(h, link, f.Plan.PodsOf(other.Number), f.Plan.Node(other.Number), own); err != nil {
			return err
		}
	}
	everything := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	return ensureRoute(h, void, everything, netip.Addr{}, own)
}

// Route leads the host and the control plane to the pods of all nodes, and to Services by way of one of them.
func (f Fabric) Route(all []Node, gateway Node) error {
	err := f.eachViewpoint(func(h *netlink.Handle, link netlink.Link) error {
		for _, node := range all {
			if err := ensureRoute(h, link, f.Plan.PodsOf(node.Number), f.Plan.Node(node.Number), netip.Addr{}); err != nil {
				return err
			}
		}
		return ensureRoute(h, link, f.Plan.Services(), f.Plan.Node(gateway.Number), netip.Addr{})
	})
	if err != nil {
		return fmt.Errorf("route to the nodes: %w", err)
	}
	return nil
}

func (f Fabric) eachViewpoint(do func(h *netlink.Handle, link netlink.Link) error) error {
	host := &netlink.Handle{}
	link, err := host.LinkByName(f.Link)
	if err != nil {
		return err
	}
	if err := do(host, link); err != nil {
		return err
	}
	return inNamespace(f.ControlPlane, func(cp *netlink.Handle, _ netns.NsHandle) error {
		link, err := cp.LinkByName(switchLink)
		if err != nil {
			return err
		}
		return do(cp, link)
	})
}

// Cut takes the node off the switch and leaves it running.
func (f Fabric) Cut(name string) error {
	return inNamespace(f.ControlPlane, func(cp *netlink.Handle, _ netns.NsHandle) error {
		port, err := cp.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find port of %s: %w", name, err)
		}
		if err := cp.LinkSetDown(port); err != nil {
			return fmt.Errorf("cut %s off: %w", name, err)
		}
		return nil
	})
}

// Unplug removes the node's port.
func (f Fabric) Unplug(name string) error {
	return inNamespace(f.ControlPlane, func(cp *netlink.Handle, _ netns.NsHandle) error {
		return removeLink(cp, name)
	})
}

// Connected reports whether the node's port is there and up.
func (f Fabric) Connected(name string) (bool, error) {
	connected := false
	err := inNamespace(f.ControlPlane, func(cp *netlink.Handle, _ netns.NsHandle) error {
		port, err := cp.LinkByName(name)
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		connected = port.Attrs().Flags&net.FlagUp != 0
		return nil
	})
	return connected, err
}
