#!/usr/bin/env bash
# Record the self-test's cases on an emulated CPU, for levels that no machine at hand has:
#
#   tests/emulated/machine.sh avx512|vnni SEED BOCHS FOLDER ENGINE[:CASE,...] ...
#
# With CASE, a generator of the self-test, only such cases: more numbers of ops that have few.
# BOCHS is a source tree of Bochs 3.0 or newer with bochs.patch, built with
#   ./configure --enable-x86-64 --enable-avx --enable-evex --enable-all-optimizations --with-nogui
# The emulated machine boots this Debian's kernel (linux-image-cloud-amd64) with the Python that runs
# here; also needed: busybox-static, grub-pc-bin, xorriso, mtools, e2fsprogs, cpio. An engine takes half
# an hour to an hour. FOLDER gets ENGINE-LEVEL.cases, for `python -m tests.emulated.compare`.
set -euo pipefail
level=$1 seed=$2 bochs=$(realpath "$3") folder=$(realpath -m "$4")
shift 4
repository=$(realpath "$(dirname "$0")/../..")
python=$(realpath "$(command -v python)")
prefix=$(python -c 'import sys; print(sys.base_prefix)')
packages=$(python -c 'import torch, os; print(os.path.dirname(os.path.dirname(torch.__file__)))')
kernel=$(ls -d /lib/modules/*cloud-amd64 | tail -1)
work=$folder/machine
mkdir -p "$work"/{initial/{bin,dev,proc,sys,mnt,lib},iso/boot/grub,out,root/{bin,dev,lib64,out,proc,sys,tmp,qdbg}}

# The system: Python with torch and qdbg, and the libraries that they load.
libraries=$work/root/lib/x86_64-linux-gnu
mkdir -p "$libraries" "$work/root$prefix" "$work/root/packages"
cp -r "$prefix"/{bin,lib} "$work/root$prefix/"
rm -rf "$work/root$prefix"/lib/python3.*/{test,site-packages,config-*} "$work/root$prefix"/lib/*.a
for part in torch torchgen numpy numpy.libs typing_extensions.py sympy mpmath networkx filelock fsspec \
  jinja2 markupsafe; do cp -r "$packages/$part" "$work/root/packages/"; done
cp -r "$repository"/{qdbg,tests} "$work/root/qdbg/"
find "$work/root" -name '*.so*' -type f -print0 | xargs -0 ldd "$python" 2>/dev/null |
  awk '/=> \//{print $3}' | sort -u | while read -r file; do cp -Ln "$file" "$libraries/"; done
cp -L /lib64/ld-linux-x86-64.so.2 "$work/root/lib64/"
cp "$(command -v busybox)" "$work/root/bin/"
ln -sf busybox "$work/root/bin/sh"
cat > "$work/root/job.sh" <<'JOB'
#!/bin/sh
/bin/busybox mount -t tmpfs none /tmp
/bin/busybox mount -t ext4 /dev/sdb /out
/bin/busybox sh /out/run.sh
/bin/busybox umount /out
/bin/busybox poweroff -f
JOB
chmod +x "$work/root/job.sh"

# What it runs, with the level's variables as `qdbg` gives them to its own child.
{
  (cd "$repository" && python -c "
from qdbg.capture.level import VARIABLES
print('export', *(f'{k}={v}' for k, v in VARIABLES['$level'].items()), 'OMP_NUM_THREADS=1')")
  echo "export PYTHONPATH=/qdbg:/packages PYTHONHOME=$prefix PYTHONDONTWRITEBYTECODE=1 HOME=/tmp"
  for wanted in "$@"; do
    engine=${wanted%%:*}
    (cd "$repository" && python -m tests.emulated.plan "$wanted" "$level") > "$work/out/$engine.json"
    echo "$python -m tests.emulated.record $engine $level $seed /out/$engine.json" \
      "/out/$engine-$level.cases; /bin/busybox sync"
  done
} > "$work/out/run.sh"

# The boot: a kernel whose only task is to find two disks.
for module in scsi/scsi_common scsi/scsi_mod ata/libata ata/ata_piix scsi/sd_mod; do
  cp "$kernel/kernel/drivers/$module.ko" "$work/initial/lib/"
done
cp "$(command -v busybox)" "$work/initial/bin/"
ln -sf busybox "$work/initial/bin/sh"
cat > "$work/initial/init" <<'INIT'
#!/bin/busybox sh
for place in proc:/proc sysfs:/sys devtmpfs:/dev; do
  /bin/busybox mount -t "${place%%:*}" none "${place#*:}"
done
for module in scsi_common scsi_mod libata ata_piix sd_mod; do /bin/busybox insmod "/lib/$module.ko"; done
until [ -b /dev/sdb ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/sda /mnt
for place in dev proc sys; do /bin/busybox mount --move "/$place" "/mnt/$place"; done
exec /bin/busybox switch_root /mnt /job.sh
INIT
chmod +x "$work/initial/init"
(cd "$work/initial" && find . | cpio -o -H newc | gzip) > "$work/iso/boot/initial"
cp "/boot/vmlinuz-$(basename "$kernel")" "$work/iso/boot/kernel"
cat > "$work/iso/boot/grub/grub.cfg" <<'GRUB'
set timeout=0
menuentry qdbg {
  linux /boot/kernel console=ttyS0 mitigations=off nokaslr nosmp tsc=reliable ibt=off lsm=capability
  initrd /boot/initial
}
GRUB
grub-mkrescue -o "$work/boot.iso" "$work/iso" 2> "$work/grub.log"

disk() { # FILE SIZE FOLDER, whole cylinders
  rm -f "$1" "$1.lock"
  truncate -s $((516096 * $2)) "$1"
  mkfs.ext4 -q -F -O ^has_journal -d "$3" "$1"
}
disk "$work/root.img" 9600 "$work/root"
disk "$work/out.img" 16000 "$work/out"
vnni=$([ "$level" = vnni ] && echo ", add_features=avx512vnni" || true)
cat > "$work/bochsrc" <<BOCHS
config_interface: textconfig
display_library: nogui
megs: 2048
cpu: model=corei7_skylake_x, count=1$vnni, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
romimage: file=$bochs/bios/BIOS-bochs-latest
vgaromimage: file=$bochs/bios/VGABIOS-lgpl/VGABIOS-lgpl-latest.bin
boot: cdrom
ata0-master: type=disk, path=$work/root.img, mode=flat, biosdetect=none
ata0-slave: type=disk, path=$work/out.img, mode=flat, biosdetect=none
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path=$work/boot.iso, status=inserted
com1: enabled=1, mode=file, dev=$work/console
clock: sync=none, time0=local
log: $work/bochs.log
panic: action=fatal
error: action=ignore
BOCHS
"$bochs/bochs" -q -f "$work/bochsrc" > "$work/bochs.out" 2>&1 < /dev/null || true # its power off is an exit status of 1
for engine in "${@%%:*}"; do
  cases=$folder/$engine-$level.cases
  debugfs -R "dump /$engine-$level.cases $cases" "$work/out.img" # says nothing by its exit status
  [ -s "$cases" ] || { echo "$engine was not recorded: $work/console says how far it came" >&2 && exit 1; }
done
