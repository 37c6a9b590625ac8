import { useCan, useSession } from '@llm-platform/shared';
import { SubjectSelect } from './SubjectSelect';

interface OrganizationFilterProps {
  value: string;
  onChange: (organization: string) => void;
}

/** Of which organisation; nothing for those who see but their own. */
export function OrganizationFilter(props: OrganizationFilterProps) {
  const can = useCan();
  const { platform } = useSession();
  if (!platform || !can('GET /api/organizations')) return null;
  return (
    <SubjectSelect
      kind="organization"
      aria-label="Organisation"
      placeholder="All organisations"
      w={190}
      {...props}
    />
  );
}
