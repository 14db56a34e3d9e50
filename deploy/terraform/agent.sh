#!/bin/sh
# The first start of an agent's instance: it takes its token and joins under the name of the instance.
set -eu
token=$(curl -sfX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 300')
about() { curl -sf -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"; }
export AWS_DEFAULT_REGION=${region}
mkdir -p /etc/cronclave /var/lib/cronclave-agent
aws ssm get-parameter --name ${parameter} --with-decryption --query Parameter.Value --output text > /etc/cronclave/token
cat > /etc/cronclave/agent.toml <<END
name = "$(about instance-id)"
zone = "$(about placement/availability-zone)"
pool = "${pool}"
nodes = [${nodes}]
data = "/var/lib/cronclave-agent"
token_file = "/etc/cronclave/token"
ca = "/etc/cronclave/ca.pem"
cloud_id = "$(about instance-id)"
END
chown -R cronclave-agent:cronclave-agent /etc/cronclave /var/lib/cronclave-agent && chmod 600 /etc/cronclave/token
systemctl enable --now cronclave-agent
