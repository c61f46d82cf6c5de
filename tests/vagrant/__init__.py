"""`make vagrant`: the three machines of vagrant/ under libvirt and qemu, in namespaces of their own."""
