import { Lock } from 'lucide-react';
import { Empty } from '../feedback/Empty';
import { roleName } from '../display/roles';
import { useSession } from '../session/session';
import { PageHeader } from './PageHeader';

/** In place of a page that this role may not use: an address can be passed on to anybody. */
export function NotAllowed({ page }: { page: string }) {
  const { role } = useSession();
  return (
    <>
      <PageHeader title={page} />
      <Empty icon={Lock} title="This page is not part of your role">
        You are signed in as {roleName(role).toLowerCase()}. Ask an administrator if you need it.
      </Empty>
    </>
  );
}
