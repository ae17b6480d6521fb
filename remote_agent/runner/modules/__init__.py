# SPDX-License-Identifier: Apache-2.0
"""One file a module, named as in a playbook: ``run(args, context) -> ModuleResult``, with Ansible's parameters and return values.

To add a module, add its file: nothing else lists them.
"""
