import { TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  api,
  LimitsFields,
  limitsOf,
  limitsText,
  path,
  useSession,
  type Team,
  useEdited,
} from '@llm-platform/shared';
import { FieldGroup } from '../forms/FieldGroup';
import { FormDialog } from '../forms/FormDialog';
import { named, validLimits } from '../forms/validate';
import { changed } from '../query/changed';
import { SubjectSelect } from '../names/SubjectSelect';

interface TeamDialogProps {
  /** Unset: a new one. */
  team?: Team;
  /** Of a new one. */
  organization?: string;
  onClose: () => void;
}

export function TeamDialog({ team, organization, onClose }: TeamDialogProps) {
  const session = useSession();
  const valuesOf = (it?: Team) => ({
    name: it?.name ?? '',
    organization: it?.organization_id ?? organization ?? session.organization_id,
    limits: limitsText(it?.limits),
  });
  const form = useForm({ initialValues: valuesOf(team), validate: { name: named, limits: validLimits } });
  const url = path`/api/teams/${team?.team_id ?? ''}`;
  const { base, reload } = useEdited(team, form, () => api.get<Team>(url), valuesOf);
  const save = async (values: ReturnType<typeof valuesOf>) => {
    const body = { name: values.name.trim(), limits: limitsOf(values.limits) };
    await (base
      ? api.patch(url, base.etag, body)
      : api.post('/api/teams', { ...body, organization: values.organization }));
    await changed('/api/teams');
  };
  return (
    <FormDialog
      title={base ? `Edit ${base.name}` : 'New team'}
      action={base ? 'Save' : 'Create team'}
      form={form}
      save={save}
      onClose={onClose}
      reload={reload}
    >
      <TextInput label="Name" data-autofocus maxLength={100} {...form.getInputProps('name')} />
      {!base && session.platform && (
        <SubjectSelect
          kind="organization"
          label="Organisation"
          clearable={false}
          {...form.getInputProps('organization')}
        />
      )}
      <FieldGroup legend="Limits of all its keys together">
        <LimitsFields field={name => form.getInputProps(`limits.${name}`)} />
      </FieldGroup>
    </FormDialog>
  );
}
