import { useSession } from '@llm-platform/shared';

/** Whether the usage and budgets that this role sees are the own ones alone. */
export function useSeesOwnOnly(): boolean {
  const { role } = useSession();
  return role === 'developer' || role === 'read_only';
}
