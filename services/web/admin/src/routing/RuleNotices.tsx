import { Button } from '@mantine/core';
import { confirm, Notice, useCan } from '@llm-platform/shared';
import { importRules } from '../rules/rules';
import type { RoutingRevision } from '../types';
import classes from '../rules/Rules.module.css';

/** What is not as one would think: the file says other things, or a replica serves other rules. */
export function RuleNotices({ rules }: { rules: RoutingRevision }) {
  const can = useCan();
  const behind = rules.replicas.filter(replica => replica.problem);
  const take = () =>
    confirm({
      title: 'Take the rules of the configuration file?',
      message:
        'What it says under providers and routing becomes a new revision, in force at once. The rules of now can be restored.',
      action: 'Take the file',
      onConfirm: () => importRules(rules.etag, 'Taken from the configuration file'),
    });
  return (
    <>
      {rules.file_differs && (
        <div className={classes.notice}>
          <Notice kind="info" title="The configuration file says something else">
            It was changed after its rules were taken, and is not looked at: the rules here are in force.
            {can('POST /api/routing:import') && (
              <div>
                <Button size="xs" variant="default" mt="xs" onClick={take}>
                  Take the file
                </Button>
              </div>
            )}
          </Notice>
        </div>
      )}
      {behind.map(replica => (
        <div key={replica.address} className={classes.notice}>
          <Notice kind="warning" title={`${replica.address} does not serve these rules`}>
            {replica.problem}
          </Notice>
        </div>
      ))}
    </>
  );
}
