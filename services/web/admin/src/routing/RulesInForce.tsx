import { Button, NumberInput, Select, SimpleGrid, Switch, Table, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { describe, Notice, Problem, Section, StaleNotice, Time, useCan } from '@llm-platform/shared';
import { useState } from 'react';
import { TextLink } from '../display/TextLink';
import { DEFAULTS } from '../rules/definition';
import { failsOver, findProvider, partWords, STRATEGIES, strategyOf } from '../rules/document';
import { isNumber, isValid, numberOf } from '../rules/draft';
import { putRules } from '../rules/rules';
import type { useDraft } from '../rules/useDraft';
import type { ProviderDefinition, RoutingRevision } from '../types';
import classes from '../rules/Rules.module.css';

interface RulesInForceProps {
  rules: RoutingRevision;
  editing: ReturnType<typeof useDraft>;
}

/** Strategy, failover, priorities and weights: as they are, and to be changed. */
export function RulesInForce({ rules, editing }: RulesInForceProps) {
  const may = useCan()('PUT /api/routing');
  const { document, draft, change } = editing;
  const strategy = STRATEGIES.find(({ value }) => value === strategyOf(document));
  return (
    <Section title="Rules in force" description={<Origin of={rules} />} flush>
      <div className={classes.top}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xl">
          <Select
            label="Among providers of one priority"
            description={strategy?.about}
            inputWrapperOrder={['label', 'input', 'description']}
            data={STRATEGIES}
            value={strategyOf(document)}
            allowDeselect={false}
            disabled={!may}
            onChange={value => value && change({ ...draft, strategy: value })}
          />
          <Switch
            mt={{ base: 0, xs: 30 }}
            label="Failover"
            description="The next provider steps in when the first fails"
            checked={failsOver(document)}
            disabled={!may}
            onChange={event => change({ ...draft, failover_enabled: event.currentTarget.checked })}
          />
        </SimpleGrid>
      </div>
      <Table.ScrollContainer minWidth={560} type="native" tabIndex={0}>
        <Table aria-label="Providers in routing">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Provider</Table.Th>
              <Table.Th>Priority</Table.Th>
              <Table.Th>Weight</Table.Th>
              <Table.Th>What that means</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {editing.base.document!.providers.map(each => (
              <Table.Tr key={each.name}>
                <Table.Td>
                  <TextLink to="/providers">{each.name}</TextLink>
                </Table.Td>
                <Table.Td>
                  <NumberCell of={each} field="priority" editing={editing} may={may} />
                </Table.Td>
                <Table.Td>
                  <NumberCell of={each} field="weight" editing={editing} may={may} />
                </Table.Td>
                <Table.Td>{partWords(document, findProvider(document, each.name) ?? each)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {may && editing.dirty && <Save editing={editing} />}
    </Section>
  );
}

function Origin({ of: rules }: { of: RoutingRevision }) {
  if (rules.number === 0) return <>As the configuration file says. Nothing was changed here yet.</>;
  return (
    <>
      Revision {rules.number}, <Time at={rules.created_at} /> by {rules.actor}
      {rules.note && `: ${rules.note}`}
    </>
  );
}

interface NumberCellProps {
  of: ProviderDefinition;
  field: 'priority' | 'weight';
  editing: ReturnType<typeof useDraft>;
  may: boolean;
}

function NumberCell({ of: provider, field, editing: { draft, change }, may }: NumberCellProps) {
  if (!may) return <span className="numeric">{provider[field] ?? DEFAULTS[field]}</span>;
  const value = numberOf(draft, provider, field);
  const set = (typed: number | string) =>
    change({
      ...draft,
      providers: {
        ...draft.providers,
        [provider.name]: { ...draft.providers[provider.name], [field]: typed },
      },
    });
  return (
    <NumberInput
      aria-label={`${field === 'priority' ? 'Priority' : 'Weight'} of ${provider.name}`}
      className={classes.number!}
      size="xs"
      allowDecimal={false}
      {...(field === 'weight' && { min: 0 })}
      value={value}
      error={!isNumber(value, field)}
      onChange={set}
    />
  );
}

/** What was changed becomes a revision, with why. */
function Save({ editing }: { editing: ReturnType<typeof useDraft> }) {
  const [note, setNote] = useState('');
  const saving = useMutation({
    mutationFn: () => putRules(editing.base.etag, editing.document, note.trim()),
    onSuccess: editing.discard,
    meta: { shown: true },
  });
  const { error } = saving;
  return (
    <>
      <form
        className={classes.save}
        onSubmit={event => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <TextInput
          className={classes.note!}
          label="Why"
          placeholder="For those who read it later"
          maxLength={1000}
          value={note}
          onChange={event => setNote(event.currentTarget.value)}
        />
        <Button variant="default" onClick={editing.discard}>
          Discard
        </Button>
        <Button type="submit" loading={saving.isPending} disabled={!isValid(editing.draft)}>
          Save rules
        </Button>
      </form>
      {error && (
        <div className={classes.problem}>
          {error instanceof Problem && error.stale ? (
            <StaleNotice reload={editing.reload} onDone={() => saving.reset()} />
          ) : (
            <Notice kind="error">{describe(error)}</Notice>
          )}
        </div>
      )}
    </>
  );
}
