import { Select, SimpleGrid, TagsInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  api,
  editableMoney,
  MoneyInput,
  parseMoney,
  queryString,
  useSession,
  viewerZone,
  type Budget,
  useEdited,
} from '@llm-platform/shared';
import { FormDialog } from '../forms/FormDialog';
import type { Kind } from '../names/names';
import { SubjectSelect } from '../names/SubjectSelect';
import { changed } from '../query/changed';
import { BUDGET_PERIODS, ENFORCEMENTS, identity, SCOPES, scopeName } from './words';

interface BudgetDialogProps {
  /** Unset: a new one. */
  budget?: Budget;
  /** Whose, of a new one. */
  subject?: { scope: Kind; scope_id: string };
  onClose: () => void;
}

const ZONES = [...new Set([viewerZone(), 'UTC', ...Intl.supportedValuesOf('timeZone')])];

export function BudgetDialog({ budget, subject, onClose }: BudgetDialogProps) {
  const session = useSession();
  const valuesOf = (it?: Budget) => ({
    scope: (it?.scope ?? subject?.scope ?? 'team') as Kind,
    scope_id: it?.scope_id ?? subject?.scope_id ?? '',
    period: it?.period ?? 'monthly',
    enforcement: it?.enforcement ?? 'hard',
    limit: it ? editableMoney(it.limit) : '',
    time_zone: it?.time_zone ?? viewerZone(),
    thresholds: it?.thresholds.map(String) ?? ['80', '100'],
    organization_id: it?.organization_id ?? '',
  });
  type Values = ReturnType<typeof valuesOf>;
  const form = useForm<Values>({
    initialValues: valuesOf(budget),
    validate: {
      scope_id: value => (value ? null : 'Choose whose budget it is.'),
      limit: value => (parseMoney(value) === undefined ? 'Give an amount, as 250 or 0.50.' : null),
      thresholds: list =>
        list.every(each => /^\d{1,4}$/.test(each) && Number(each) > 0)
          ? null
          : 'Whole numbers of percent, as 80.',
    },
  });
  const read = async () => {
    const { items } = await api.get<{ items: Budget[] }>('/api/budgets', {
      scope: budget!.scope,
      scope_id: budget!.scope_id,
    });
    return items.find(item => item.budget_id === budget!.budget_id) ?? budget!;
  };
  const { base, reload } = useEdited(budget, form, read, valuesOf);
  const save = async (values: Values) => {
    const body = {
      budget: {
        ...values,
        limit: String(parseMoney(values.limit)),
        thresholds: values.thresholds.map(Number).sort((a, b) => a - b),
      },
      ...(!base && { must_be_new: true }),
    };
    await api.json('PUT', '/api/budgets', { body, ...(base && { etag: base.etag }) });
    await changed('/api/budgets', '/api/notifications');
  };
  return (
    <FormDialog
      title={base ? `Budget of the ${scopeName(base.scope).toLowerCase()}` : 'New budget'}
      action={base ? 'Save' : 'Create budget'}
      form={form}
      save={save}
      onClose={onClose}
      reload={reload}
      rename={{ 'budget.limit': 'limit', 'budget.scope_id': 'scope_id', 'budget.thresholds': 'thresholds' }}
    >
      {!base && !subject && (
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <Select
            label="For a"
            data={session.platform ? SCOPES : SCOPES.filter(({ value }) => value !== 'organization')}
            allowDeselect={false}
            {...form.getInputProps('scope')}
            onChange={scope => form.setValues({ scope: scope as Kind, scope_id: '' })}
          />
          <SubjectSelect
            key={form.values.scope}
            kind={form.values.scope}
            label={scopeName(form.values.scope)}
            placeholder="Search by name"
            {...form.getInputProps('scope_id')}
          />
        </SimpleGrid>
      )}
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <MoneyInput label="Limit" data-autofocus {...form.getInputProps('limit')} />
        {!base && (
          <>
            <Select
              label="Period"
              data={BUDGET_PERIODS}
              allowDeselect={false}
              {...form.getInputProps('period')}
            />
            <Select
              label="When it is used up"
              data={ENFORCEMENTS}
              allowDeselect={false}
              {...form.getInputProps('enforcement')}
            />
          </>
        )}
        {form.values.period !== 'total' && (
          <Select
            label="Time zone"
            description="In which days and months begin"
            inputWrapperOrder={['label', 'input', 'description', 'error']}
            data={ZONES}
            searchable
            limit={60}
            allowDeselect={false}
            {...form.getInputProps('time_zone')}
          />
        )}
      </SimpleGrid>
      <TagsInput
        label="Notify at"
        description="Percent of the limit; Enter after each"
        splitChars={[',', ' ', '%']}
        acceptValueOnBlur
        {...form.getInputProps('thresholds')}
      />
    </FormDialog>
  );
}

export async function removeBudget(budget: Budget): Promise<void> {
  await api.json('DELETE', `/api/budgets${queryString(identity(budget))}`, { etag: budget.etag });
  await changed('/api/budgets');
}
