import { roleName } from '@llm-platform/shared';

export const ROLES = ['owner', 'admin', 'billing_viewer', 'developer', 'read_only'].map(value => ({
  value,
  label: roleName(value),
}));

export const KINDS = [
  { value: 'user', label: 'Person' },
  { value: 'service_account', label: 'Service account' },
];

export const kindName = (kind: string): string => KINDS.find(item => item.value === kind)?.label ?? kind;
