import { Skeleton } from '@mantine/core';
import { Empty, Failure, Time, useResource, type Page } from '@llm-platform/shared';
import { History } from 'lucide-react';
import { Target } from '../audit/Target';
import { actionWords } from '../audit/words';
import type { AuditEntry } from '../types';
import { TextLink } from '../display/TextLink';
import classes from './Overview.module.css';

const READ = 60;
const SHOWN = 8;
/** Signing in changes nothing. */
const NO_CHANGE = /^Sessions\/(Login|Logout|FinishOidc)$|^Secrets\/Get$/;

/** The last entries of the audit log, in words. */
export function RecentChanges() {
  const read = useResource<Page<AuditEntry>>(
    '/api/audit',
    { newest_first: true, page_size: READ },
    { live: 30 },
  );
  if (read.error && !read.data) return <Failure error={read.error} onRetry={() => void read.refetch()} />;
  if (!read.data) return <Skeleton height={200} m="md" w="auto" aria-busy="true" />;
  const changes = read.data.items
    .filter(entry => entry.result !== 'ok' || !NO_CHANGE.test(entry.action))
    .slice(0, SHOWN);
  if (changes.length === 0) return <Empty icon={History} title="Nothing yet" />;
  return (
    <>
      <ul className={classes.changes}>
        {changes.map(entry => (
          <li key={entry.number}>
            <span>
              <strong>{entry.actor_name || entry.actor_id || 'Somebody'}</strong> {actionWords(entry.action)}
              {entry.target && entry.target !== entry.actor_id && ': '}
              {entry.target !== entry.actor_id && <Target action={entry.action} target={entry.target} />}
              {entry.result !== 'ok' && ` (${entry.result})`}
            </span>
            <Time at={entry.at} />
          </li>
        ))}
      </ul>
      <div className={classes.all}>
        <TextLink to="/audit">The whole audit log</TextLink>
      </div>
    </>
  );
}
