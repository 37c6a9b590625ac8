import { Skeleton } from '@mantine/core';
import { Failure, PageHeader, useCan, useResource } from '@llm-platform/shared';
import { ReadOnly } from '../rules/ReadOnly';
import { useRules } from '../rules/rules';
import { useDraft } from '../rules/useDraft';
import type { ListedModel, RoutingRevision } from '../types';
import { DryRun } from './DryRun';
import { Models } from './Models';
import { Revisions } from './Revisions';
import { RuleNotices } from './RuleNotices';
import { RulesInForce } from './RulesInForce';

export function Component() {
  const can = useCan();
  const sees = can('GET /api/routing');
  const rules = useRules();
  const models = useResource<{ items: ListedModel[] }>('/api/models', {}, { live: 30 });
  const ids = models.data?.items.map(model => model.id) ?? [];
  return (
    <>
      <PageHeader
        title="Routing"
        description="Which provider answers a call, and which one steps in when it fails."
      />
      {sees && <ReadOnly />}
      {sees && rules.isPending && <Skeleton height={260} radius="lg" mb={20} />}
      {sees && rules.error && !rules.data && (
        <Failure error={rules.error} onRetry={() => void rules.refetch()} />
      )}
      {rules.data ? (
        <Rules rules={rules.data} models={ids} />
      ) : (
        can('POST /api/routing:decide') && <DryRun models={ids} />
      )}
      <Models read={models} />
      {rules.data && can('GET /api/routing/revisions') && <Revisions rules={rules.data} />}
    </>
  );
}

/** The rules with what is not saved yet, which a decision can be tried with. */
function Rules({ rules, models }: { rules: RoutingRevision; models: string[] }) {
  const can = useCan();
  const editing = useDraft(rules);
  const named = rules.document!.providers.flatMap(each => each.models.map(model => model.name));
  return (
    <>
      <RuleNotices rules={rules} />
      <RulesInForce rules={rules} editing={editing} />
      {can('POST /api/routing:decide') && (
        <DryRun
          models={[...new Set([...models, ...named])].sort()}
          {...(editing.dirty && { unsaved: editing.document })}
        />
      )}
    </>
  );
}
