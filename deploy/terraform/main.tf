# Three zones on AWS: in each an auto-scaling group of one node. What makes a node that node are its volume (identity, log, state) and its
# address: both stay when the instance is replaced, so the new one is the same node to the others. A balancer in front asks /healthy.html.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}

data "aws_region" "here" {}

data "aws_subnet" "of" {
  for_each = var.nodes
  id       = each.value.subnet_id
}

resource "aws_security_group" "node" {
  name_prefix = "${var.name}-node-"
  vpc_id      = var.vpc_id
  lifecycle { create_before_destroy = true }
}

resource "aws_vpc_security_group_ingress_rule" "raft" {
  description                  = "Nodes among themselves"
  security_group_id            = aws_security_group.node.id
  referenced_security_group_id = aws_security_group.node.id
  from_port                    = 8321
  to_port                      = 8322
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each          = toset(var.clients)
  description       = "API, cockpit, agents"
  security_group_id = aws_security_group.node.id
  cidr_ipv4         = each.value
  from_port         = 8321
  to_port           = 8321
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.node.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# --- what stays ------------------------------------------------------------------------------------------------

resource "aws_ebs_volume" "data" {
  for_each          = var.nodes
  availability_zone = data.aws_subnet.of[each.key].availability_zone
  size              = var.volume_gib
  type              = "gp3"
  encrypted         = true
  tags              = { Name = "${var.name}-${each.key}" }
  lifecycle { prevent_destroy = true }
}

resource "aws_network_interface" "node" {
  for_each        = var.nodes
  subnet_id       = each.value.subnet_id
  private_ips     = [each.value.address]
  security_groups = [aws_security_group.node.id]
  tags            = { Name = "${var.name}-${each.key}" }
}

# --- what may be replaced --------------------------------------------------------------------------------------

resource "aws_launch_template" "node" {
  for_each               = var.nodes
  name_prefix            = "${var.name}-${each.key}-"
  image_id               = var.ami_id
  instance_type          = var.instance_type
  update_default_version = true
  iam_instance_profile { arn = aws_iam_instance_profile.node.arn }
  vpc_security_group_ids = [aws_security_group.node.id]
  metadata_options { http_tokens = "required" }
  user_data = base64encode(templatefile("${path.module}/node.sh", {
    region    = data.aws_region.here.name
    volume    = aws_ebs_volume.data[each.key].id
    interface = aws_network_interface.node[each.key].id
    parameter = "${var.secrets_prefix}/${each.key}"
    bucket    = var.backup_bucket
  }))
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-${each.key}" }
  }
}

resource "aws_autoscaling_group" "node" {
  for_each                  = var.nodes
  name                      = "${var.name}-${each.key}"
  min_size                  = 1
  max_size                  = 1
  vpc_zone_identifier       = [each.value.subnet_id]
  target_group_arns         = [aws_lb_target_group.api.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 300
  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = "$Latest"
  }
  tag {
    key                 = "Name"
    value               = "${var.name}-${each.key}"
    propagate_at_launch = true
  }
}

resource "aws_lb" "api" {
  name                             = var.name
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = [for node in values(var.nodes) : node.subnet_id]
  enable_cross_zone_load_balancing = true
}

resource "aws_lb_target_group" "api" {
  name     = var.name
  port     = 8321
  protocol = "TLS"
  vpc_id   = var.vpc_id
  health_check {
    protocol            = "HTTPS"
    path                = "/healthy.html"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 6
  }
}

resource "aws_lb_listener" "api" {
  load_balancer_arn = aws_lb.api.arn
  port              = 443
  protocol          = "TLS"
  certificate_arn   = var.certificate_arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

# --- rights of a node: its volume, its address, its folder, the backups ----------------------------------------

resource "aws_iam_role" "node" {
  name_prefix = "${var.name}-node-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "node" {
  name_prefix = "${var.name}-node-"
  role        = aws_iam_role.node.name
}

resource "aws_iam_role_policy" "node" {
  role = aws_iam_role.node.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["ec2:AttachVolume"], Resource = concat([for v in aws_ebs_volume.data : v.arn], ["arn:aws:ec2:*:*:instance/*"]) },
      { Effect = "Allow", Action = ["ec2:AttachNetworkInterface"], Resource = "*" },
      { Effect = "Allow", Action = ["ssm:GetParameter"], Resource = "arn:aws:ssm:*:*:parameter${var.secrets_prefix}/*" },
      { Effect = "Allow", Action = ["s3:PutObject"], Resource = "arn:aws:s3:::${var.backup_bucket}/*" },
    ]
  })
}

# --- pools of agents that scale --------------------------------------------------------------------------------

resource "aws_launch_template" "agent" {
  for_each               = var.agents
  name_prefix            = "${var.name}-${each.key}-"
  image_id               = each.value.ami_id
  instance_type          = each.value.instance_type
  update_default_version = true
  iam_instance_profile { arn = aws_iam_instance_profile.agent[each.key].arn }
  metadata_options { http_tokens = "required" }
  user_data = base64encode(templatefile("${path.module}/agent.sh", {
    region    = data.aws_region.here.name
    pool      = each.key
    parameter = each.value.token_parameter
    nodes     = join(", ", [for node in values(var.nodes) : "\"https://${node.address}:8321\""])
  }))
}

resource "aws_autoscaling_group" "agent" {
  for_each            = var.agents
  name                = "${var.name}-${each.key}"
  min_size            = each.value.min
  max_size            = each.value.max
  vpc_zone_identifier = each.value.subnet_ids
  launch_template {
    id      = aws_launch_template.agent[each.key].id
    version = "$Latest"
  }
}

resource "aws_iam_role" "agent" {
  for_each           = var.agents
  name_prefix        = "${var.name}-${each.key}-"
  assume_role_policy = aws_iam_role.node.assume_role_policy
}

resource "aws_iam_instance_profile" "agent" {
  for_each    = var.agents
  name_prefix = "${var.name}-${each.key}-"
  role        = aws_iam_role.agent[each.key].name
}

resource "aws_iam_role_policy" "agent" {
  for_each = var.agents
  role     = aws_iam_role.agent[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["ssm:GetParameter"], Resource = "arn:aws:ssm:*:*:parameter${each.value.token_parameter}" }]
  })
}

output "url" {
  description = "For CRONCLAVE_URL, under the name of the certificate."
  value       = "https://${aws_lb.api.dns_name}"
}
