#!/busybox sh
# The first process of a kernel under test: makes a system of it, runs the tests, tells how they ended, powers off.
# Lines that begin with "kernel-test: " are for xtask, which watches the console.

/busybox mkdir -p /dev /proc /sys /tmp /run /root /busybox-bin
/busybox mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd

# What is not in the image as a program of its own.
/busybox --install -s /busybox-bin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/busybox-bin
export HOME=/root LANG=C.UTF-8 TERM=dumb TMPDIR=/tmp

hostname kernel-test
/busybox ip link set lo up
for module in /modules/*.ko; do
    [ -e "$module" ] && { insmod "$module" || echo "cannot load $module"; }
done
# From here on the kernel itself says only what is the end of it.
dmesg -n 1

# Python compiles what it imports for the first time, where that is not in the image: no test is to wait for that.
compiled=/usr/lib/python3/dist-packages/requests/__pycache__
[ -d $compiled ] || python3 -c 'import requests' || echo "Python cannot import requests"

echo "kernel-test: release $(uname -r)"
export RESETMON=/test/resetmon RESETMON_SKIPS=/tmp/skips RESETMON_MODULES=/modules
# A test that panics names its place; a trace of it would take an emulated processor minutes.
RUST_BACKTRACE=0 /test/kernel --test-threads 2 </dev/null 2>&1
status=$?
[ -e /tmp/skips ] && sed 's/^/kernel-test: /' /tmp/skips
echo "kernel-test: exit $status"
sync
poweroff -f
