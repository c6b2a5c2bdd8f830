#!/usr/bin/env bash
# Start Slurm with one node, this machine: `source tests/cluster/start_slurm.sh FOLDER`. For trying the profile by hand; a
# cluster has its own. Needs root, and Debian's packages slurm-wlm and munge; writes /etc/slurm/slurm.conf, because Snakemake
# takes SLURM_CONF out of a job's environment. Stop with `stop_slurm`. No accounting, no cgroups: a container will do.
SLURM_FOLDER=$(realpath "${1:?folder for the state of Slurm}")
SLURM_SETTINGS=/etc/slurm/slurm.conf
mkdir -p "$SLURM_FOLDER"/{state,spool} /run/munge /etc/slurm
if [ -e "$SLURM_SETTINGS" ] && ! grep -q '^ClusterName=here$' "$SLURM_SETTINGS"; then
    echo "$SLURM_SETTINGS belongs to another cluster" >&2
    return 1
fi
chown munge: /run/munge
[ -s /etc/munge/munge.key ] || { dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none; chown munge: /etc/munge/munge.key; chmod 400 /etc/munge/munge.key; }
munge -n >/dev/null 2>&1 || runuser -u munge -- munged
cat > "$SLURM_SETTINGS" <<CONF
ClusterName=here
SlurmctldHost=$(hostname -s)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$SLURM_FOLDER/state
SlurmdSpoolDir=$SLURM_FOLDER/spool
SlurmctldPidFile=$SLURM_FOLDER/slurmctld.pid
SlurmdPidFile=$SLURM_FOLDER/slurmd.pid
SlurmctldLogFile=$SLURM_FOLDER/slurmctld.log
SlurmdLogFile=$SLURM_FOLDER/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1100)) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld && slurmd
stop_slurm() { scontrol shutdown >/dev/null 2>&1; }
for _ in $(seq 30); do [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && break; sleep 1; done
sinfo
