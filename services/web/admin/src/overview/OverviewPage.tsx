import { PageHeader, Section, useCan, useInfo, useResource, useSession } from '@llm-platform/shared';
import { useSeesOwnOnly } from '../access/useSeesOwnOnly';
import type { Overview } from '../types';
import { Costs } from './Costs';
import { Health } from './Health';
import { LastHour } from './LastHour';
import { RecentChanges } from './RecentChanges';
import { Spending } from './Spending';
import { Top } from './Top';
import classes from './Overview.module.css';

export function Component() {
  const can = useCan();
  const info = useInfo();
  const { name, platform } = useSession();
  const ownOnly = useSeesOwnOnly();
  const operates = can('GET /api/providers');
  const overview = useResource<Overview>('/api/overview', {}, { live: 15, enabled: operates });
  const running = overview.data ?? info.data;
  return (
    <>
      <PageHeader
        title="Overview"
        description={
          <>
            {ownOnly ? 'What you used' : platform ? 'The whole platform' : 'Your organisation'}, for {name}.
            {running && ` Version ${running.version}, ${running.environment}.`}
          </>
        }
      />
      {operates && (
        <>
          <Health overview={overview.data} error={overview.error} onRetry={() => void overview.refetch()} />
          {(overview.data || !overview.error) && (
            <div className={classes.health}>
              <LastHour overview={overview.data} />
            </div>
          )}
        </>
      )}
      {can('GET /api/usage') && (
        <>
          <Costs />
          <Spending />
          <div className={classes.columns}>
            <Top by="model" title="Top models this month" />
            <Top
              by={ownOnly ? 'key' : platform ? 'organization' : 'team'}
              choosable={!ownOnly}
              title={ownOnly ? 'Your keys this month' : 'Who spent most this month'}
            />
          </div>
        </>
      )}
      {can('GET /api/audit') && (
        <Section title="What changed" flush>
          <RecentChanges />
        </Section>
      )}
    </>
  );
}
