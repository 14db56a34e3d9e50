variable "name" {
  description = "Of the cluster: resources are called by it."
  type        = string
  default     = "cronclave"
}

variable "vpc_id" {
  type = string
}

variable "nodes" {
  description = "A node for each zone: its subnet, and a free address of it that stays the node's for good."
  type        = map(object({ subnet_id = string, address = string }))
  # { node-1 = { subnet_id = "subnet-…", address = "10.0.1.10" }, … }
  validation {
    condition     = length(var.nodes) >= 3 && length(var.nodes) % 2 == 1
    error_message = "Three nodes, or five: a majority has to survive the loss of a zone."
  }
}

variable "clients" {
  description = "From where people, programs and agents come, as CIDR blocks."
  type        = list(string)
}

variable "ami_id" {
  description = "An image with Debian 12 or later, /opt/cronclave (an environment with the product) and the units of deploy/systemd."
  type        = string
}

variable "instance_type" {
  type    = string
  default = "m7g.large"
}

variable "volume_gib" {
  description = "Of each node's log and state."
  type        = number
  default     = 20
}

variable "secrets_prefix" {
  description = "Parameters of the Systems Manager with each node's folder of `cronclave cluster init`, as base64 of a tar: PREFIX/node-1 …"
  type        = string
  default     = "/cronclave"
}

variable "backup_bucket" {
  description = "Where backups go."
  type        = string
}

variable "certificate_arn" {
  description = "For the balancer: the name that clients know."
  type        = string
}

variable "agents" {
  description = "Pools of agents that scale: {web = {subnet_ids, ami_id, instance_type, min, max, token_parameter}}"
  type = map(object({
    subnet_ids      = list(string)
    ami_id          = string
    instance_type   = string
    min             = number
    max             = number
    token_parameter = string
  }))
  default = {}
}
