#!/bin/sh
# The first start of a node's instance: it takes the node's volume and address from whatever instance had them.
set -eu
token=$(curl -sfX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 300')
instance=$(curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
export AWS_DEFAULT_REGION=${region}
# Both are free once the former instance is gone: until then each try is refused.
until aws ec2 attach-volume --volume-id ${volume} --instance-id "$instance" --device /dev/sdf; do sleep 5; done
until aws ec2 attach-network-interface --network-interface-id ${interface} --instance-id "$instance" --device-index 1; do sleep 5; done
disk=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$(echo ${volume} | tr -d -)
until [ -e "$disk" ]; do sleep 1; done
blkid "$disk" || mkfs.ext4 -q "$disk"      # the very first time alone: it is empty
mkdir -p /var/lib/cronclave /etc/cronclave
mount "$disk" /var/lib/cronclave
chown cronclave:cronclave /var/lib/cronclave && chmod 700 /var/lib/cronclave
aws ssm get-parameter --name ${parameter} --with-decryption --query Parameter.Value --output text | base64 -d | tar -xz -C /etc/cronclave
chown -R cronclave:cronclave /etc/cronclave && chmod -R go= /etc/cronclave
systemctl enable --now cronclave-node
# A backup each hour: any node makes it, so all three are asked, and each keeps its own.
cat > /etc/cron.d/cronclave-backup <<'END'
17 * * * * cronclave . /etc/cronclave/backup.env && f=$(mktemp -d)/cronclave-$(date +\%F-\%H).db && /opt/cronclave/bin/cronclave cluster backup "$f" && aws s3 cp --quiet "$f" s3://${bucket}/ && aws s3 cp --quiet "$f.sha256" s3://${bucket}/; rm -f "$f" "$f.sha256"
END
